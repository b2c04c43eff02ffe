"""What SAM makes of template.yaml, which no test of the template itself can see: the API's routes, the roles, the
alias that S3 notifies, the versions that parameters publish; and that samconfig.toml sets only what the template has."""

import json
import re
import subprocess
import tempfile
import tomllib
from graphlib import TopologicalSorter
from unittest.mock import Mock

import boto3
from samcli.lib.cfn_language_extensions.sam_integration import process_template_for_sam_cli
from samcli.lib.intrinsic_resolver.intrinsics_symbol_table import IntrinsicsSymbolTable
from samcli.yamlhelper import yaml_parse
from samtranslator.translator.translator import Translator
from samtranslator.parser.parser import Parser

with open("template.yaml") as file:
    source = yaml_parse(file.read())
parameters = source["Parameters"]
values = {name: str(parameter.get("Default", "x")) for name, parameter in parameters.items()}
# A replacement for the list of managed policies that SAM downloads. The template's roles have their own policies.
translator = Translator({}, Parser(), boto_session=boto3.Session(region_name="us-east-1"))
for function in source["Resources"].values():
    if function["Type"] == "AWS::Serverless::Function":
        function["Properties"]["CodeUri"] = "s3://bucket/key"


def with_values(template, values):
    """What AWS::LanguageExtensions makes of the template before SAM gets it, by SAM CLI's port of the service's: values for
    parameters and conditions, but not in Globals."""
    return process_template_for_sam_cli(template, {**IntrinsicsSymbolTable.DEFAULT_PSEUDO_PARAM_VALUES, **values})


def translate(template, values):
    return translator.translate(template, values, feature_toggle=Mock(is_enabled=lambda *_: False))


def versions(values):
    """Of each function the id of its version, and what Lambda keeps in one."""
    template = translate(with_values(source, values), values)
    functions = with_values(template, values)["Resources"]
    of_function = {}
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::Lambda::Version":
            function = resource["Properties"]["FunctionName"]["Ref"]
            unversioned = {"ReservedConcurrentExecutions", "RecursiveLoop", "Tags"}
            kept = {key: value for key, value in functions[function]["Properties"].items() if key not in unversioned}
            of_function[function] = name, kept
    return of_function


# A changed parameter publishes a version if and only if it changes the function. Otherwise the alias would keep the old configuration,
# or Lambda would refuse to publish an unchanged version and the deployment would fail.
assert source["Transform"] == ["AWS::LanguageExtensions", "AWS::Serverless-2016-10-31"], source["Transform"]
before = versions(values)
assert len(before) == 8, before
publishing = {}
for name, parameter in parameters.items():
    allowed = map(str, parameter.get("AllowedValues", [values[name] + "1"]))
    others = {next(value for value in allowed if value != values[name])}
    # 0 turns some parameters off, through conditions.
    if parameter.get("MinValue") == 0 and values[name] != "0":
        others.add("0")
    for other in sorted(others):
        after = versions({**values, name: other})
        for function, (version, kept) in before.items():
            published, changed = after[function][0] != version, after[function][1] != kept
            assert published == changed, f"{name}={other}: {function} is changed: {changed}, published: {published}"
            if published:
                publishing.setdefault(name, {})[function.removesuffix("Function")] = True
for name, functions in publishing.items():
    print(f"{name}: {', '.join(functions)}")
assert {"Architecture", "DefaultCurrency", "IngestConcurrency", "Tracing"} <= publishing.keys(), publishing

translated = translate(source, values)
resources = translated["Resources"]


def of_type(kind):
    found = {name: resource for name, resource in resources.items() if resource["Type"] == kind}
    assert found, kind
    return found


# Every route of API Gateway requires a token with a scope.
(api,) = of_type("AWS::ApiGatewayV2::Api").values()
routes = 0
for path, methods in api["Properties"]["Body"]["paths"].items():
    for method, route in methods.items():
        ((authorizer, scopes),) = route["security"][0].items()
        assert authorizer == "Jwt" and scopes, f"{method} {path} is open"
        # This scope is left out if `SeparateLookup` is set.
        scopes = [scope if isinstance(scope, str) else f"{scope['Fn::If'][2]} unless {scope['Fn::If'][0]}" for scope in scopes]
        print(f"{method.upper():6} {path}: {', '.join(scopes)}")
        routes += 1
assert routes >= 5, routes

# The API and S3 call the alias, so that a deployment can shift traffic gradually and roll back.
assert "Aliaslive" in json.dumps(api["Properties"]["Body"]["paths"])
rules = resources["Bucket"]["Properties"]["NotificationConfiguration"]["LambdaConfigurations"]
notified = sorted(rule["Function"]["Ref"] for rule in rules)
assert notified == ["IngestCheckFunctionAliaslive"] * 2 + ["IngestFunctionAliaslive"] * 2, rules
assert len(of_type("AWS::CodeDeploy::DeploymentGroup")) == 8
# Each permission names one source. S3 may invoke only for the stack's bucket in the stack's account.
bucket_arn = resources["IngestNotified"]["Properties"]["SourceArn"]
name = resources["Bucket"]["Properties"]["BucketName"]["Fn::Sub"]
assert bucket_arn == {"Fn::Sub": ["arn:${AWS::Partition}:s3:::" + name[0], name[1]]}, bucket_arn
s3 = []
for name, permission in of_type("AWS::Lambda::Permission").items():
    properties = permission["Properties"]
    assert properties["FunctionName"]["Ref"].endswith("Aliaslive"), name
    assert properties["Action"] == "lambda:InvokeFunction" and properties["SourceArn"], f"{name} lets every API and bucket in"
    if properties["Principal"] == "s3.amazonaws.com":
        assert properties["SourceArn"] == bucket_arn and properties["SourceAccount"] == {"Ref": "AWS::AccountId"}, name
        s3.append((name, properties["FunctionName"]["Ref"]))
assert sorted(s3) == [("IngestCheckNotified", "IngestCheckFunctionAliaslive"), ("IngestNotified", "IngestFunctionAliaslive")], s3
assert set(resources["Bucket"]["DependsOn"]) == {"IngestNotified", "IngestCheckNotified"}, resources["Bucket"]["DependsOn"]

# The log group of each function that writes audit lines has a subscription to the alias of `audit`. The audit log has none.
filters = of_type("AWS::Logs::SubscriptionFilter").values()
subscribed = sorted(filter["Properties"]["LogGroupName"]["Ref"] for filter in filters)
audited = {"HistoryLogs", "ImportsLogs", "IngestLogs", "NoteWriteLogs", "ProfileReadLogs", "ProfileWriteLogs"}
assert subscribed == sorted(audited), subscribed
for filter in filters:
    assert filter["Properties"]["DestinationArn"] == {"Ref": "AuditFunctionAliaslive"}, filter
    assert filter["DependsOn"], filter

def referred(value):
    """The logical ids that a value refers to."""
    if isinstance(value, list):
        for inner in value:
            yield from referred(inner)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key in ("Ref", "Fn::GetAtt", "DependsOn"):
                names = inner if isinstance(inner, list) and key == "DependsOn" else [inner[0] if isinstance(inner, list) else inner]
                yield from (name.split(".")[0] for name in names)
                continue
            if key == "Fn::Sub":
                yield from re.findall(r"\$\{(\w+)", inner if isinstance(inner, str) else inner[0])
            yield from referred(inner)


# CloudFormation refuses cycles of references. The bucket refers to the aliases that it notifies.
uses = {name: set(referred(resource)) & resources.keys() for name, resource in resources.items()}
assert {"IngestFunctionAliaslive", "IngestNotified"} <= uses["Bucket"] and "IngestRole" in uses["IngestFunction"], uses["Bucket"]
TopologicalSorter(uses).prepare()

# A restored table replaces the stack's table in two steps: first all resources use its name, then it becomes part of the stack.
name, arn = "restored-table", "arn:aws:dynamodb:us-east-1:000000000000:table/restored-table"
with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
    json.dump(translated, file)
    file.flush()
    command = ["infra/scripts/restore-table.sh", "--template", file.name, "--restored", name, "--arn", arn]
    detached, attached = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
assert detached["Resources"].keys() == resources.keys() - {"Table"}
assert attached == {**detached, "Resources": {**detached["Resources"], "Table": attached["Resources"]["Table"]}}
table = attached["Resources"]["Table"]
assert table["DeletionPolicy"] == "Retain" and table["Properties"] == {**resources["Table"]["Properties"], "TableName": name}, table
for function in (resource for resource in detached["Resources"].values() if resource["Type"] == "AWS::Lambda::Function"):
    assert function["Properties"]["Environment"]["Variables"]["TABLE_NAME"] == name, function
granted = json.dumps(detached["Resources"]["ProfileReadRole"])
assert f'"{arn}"' in granted and f"{arn}/index/Find4" in granted, granted
assert not any("Table" in set(referred(resource)) for resource in detached["Resources"].values())

# SAM adds one role, for CodeDeploy, and none for functions.
added = of_type("AWS::IAM::Role").keys() - source["Resources"].keys()
assert added == {"CodeDeployServiceRole"}, added

invokes = of_type("AWS::Lambda::EventInvokeConfig").values()
assert len(invokes) == 3, invokes
for invoke in invokes:
    assert invoke["Properties"]["Qualifier"] == "live" and invoke["Properties"]["DestinationConfig"], invoke

with open("samconfig.toml", "rb") as file:
    config = tomllib.load(file)
for environment in ("default", "staging", "production"):
    deploy = config[environment]["deploy"]["parameters"]
    assert "CAPABILITY_AUTO_EXPAND" in deploy["capabilities"], environment
    for override in deploy.get("parameter_overrides", []):
        name, value = override.split("=")
        allowed = parameters[name].get("AllowedValues")
        assert allowed is None or value in map(str, allowed), f"{environment}: {override}"
        assert value != str(parameters[name].get("Default")), f"{environment}: {override} is the default"
    # `sam build` ignores parameters of a deployment and builds for the default architecture unless told otherwise.
    build = config[environment]["build"]["parameters"].get("parameter_overrides", [])
    architecture = [override for override in deploy.get("parameter_overrides", []) if override.startswith("Architecture=")]
    assert build == architecture, f"{environment} builds {build} and deploys {architecture}"
names = [config[environment]["global"]["parameters"]["stack_name"] for environment in ("default", "staging", "production")]
assert len(set(names)) == 3, names
print("the transformed template holds")
