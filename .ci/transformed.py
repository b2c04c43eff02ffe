"""What SAM makes of template.yaml, which no test of the template itself can see: the API's routes, the roles, the
alias that S3 notifies; and that samconfig.toml sets only what the template has."""

import json
import tomllib
from unittest.mock import Mock

import boto3
from samcli.yamlhelper import yaml_parse
from samtranslator.translator.translator import Translator
from samtranslator.parser.parser import Parser

with open("template.yaml") as file:
    source = yaml_parse(file.read())
parameters = source["Parameters"]
values = {name: str(parameter.get("Default", "x")) for name, parameter in parameters.items()}
# A stand-in for the one managed policy that SAM looks up: the roles here name their own.
translator = Translator({}, Parser(), boto_session=boto3.Session(region_name="us-east-1"))
for function in source["Resources"].values():
    if function["Type"] == "AWS::Serverless::Function":
        function["Properties"]["CodeUri"] = "s3://bucket/key"
resources = translator.translate(source, values, feature_toggle=Mock(is_enabled=lambda *_: False))["Resources"]


def of_type(kind):
    found = {name: resource for name, resource in resources.items() if resource["Type"] == kind}
    assert found, kind
    return found


# Every route that API Gateway is told of asks for a token with a scope.
(api,) = of_type("AWS::ApiGatewayV2::Api").values()
routes = 0
for path, methods in api["Properties"]["Body"]["paths"].items():
    for method, route in methods.items():
        ((authorizer, scopes),) = route["security"][0].items()
        assert authorizer == "Jwt" and scopes, f"{method} {path} is open"
        print(f"{method.upper():6} {path}: {', '.join(scopes)}")
        routes += 1
assert routes >= 5, routes

# Both the API and S3 call the alias, so that a deployment can move them bit by bit and back.
assert "Aliaslive" in json.dumps(api["Properties"]["Body"]["paths"])
rules = resources["Bucket"]["Properties"]["NotificationConfiguration"]["LambdaConfigurations"]
assert [rule["Function"] for rule in rules] == [{"Ref": "IngestFunctionAliaslive"}] * 2, rules
assert len(of_type("AWS::CodeDeploy::DeploymentGroup")) == 4
for name, permission in of_type("AWS::Lambda::Permission").items():
    assert permission["Properties"]["FunctionName"]["Ref"].endswith("Aliaslive"), name
    assert {"SourceAccount", "SourceArn"} & permission["Properties"].keys(), f"{name} lets every account in"

# SAM adds one role, CodeDeploy's own, and none of a function.
added = of_type("AWS::IAM::Role").keys() - source["Resources"].keys()
assert added == {"CodeDeployServiceRole"}, added

(invoke,) = of_type("AWS::Lambda::EventInvokeConfig").values()
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
names = [config[environment]["global"]["parameters"]["stack_name"] for environment in ("default", "staging", "production")]
assert len(set(names)) == 3, names
print("the transformed template holds")
