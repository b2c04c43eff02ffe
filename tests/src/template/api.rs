//! The API: authorizer, scopes, limits and access log.

use serde_json::json;

use super::{functions, list, referred, template};

/// Every route is behind the authorizer, with scopes of its function's kind.
#[test]
fn routes_require_a_scope() {
    let template = template();
    let api = &template["Resources"]["Api"]["Properties"];
    // Otherwise API Gateway skips routes whose issuer it cannot read, and the deployment succeeds.
    assert_eq!(api["FailOnWarnings"], true);
    let auth = &api["Auth"];
    let name = auth["DefaultAuthorizer"].as_str().expect("a default");
    let authorizer = &auth["Authorizers"][name];
    let jwt = &authorizer["JwtConfiguration"];
    assert_eq!(referred(&jwt["issuer"]), "JwtIssuer");
    assert_eq!(referred(&jwt["audience"]), "JwtAudience");
    for parameter in ["JwtIssuer", "JwtAudience"] {
        assert!(
            template["Parameters"][parameter].get("Default").is_none(),
            "{parameter} has to be chosen"
        );
    }

    let mut routes = 0;
    for (id, binary, properties) in functions(&template) {
        let events = properties["Events"].as_object().into_iter().flatten();
        for (event, it) in events.filter(|(_, it)| it["Type"] == "HttpApi") {
            let at = format!("{id}, {event}");
            let route = &it["Properties"];
            assert_eq!(referred(&route["ApiId"]), "Api", "{at}");
            assert!(
                route["Path"]
                    .as_str()
                    .is_some_and(|path| path.starts_with('/')),
                "{at}: a path without intrinsics"
            );
            assert!(route["Method"].is_string(), "{at}");
            let own = route["Auth"].get("AuthorizationScopes");
            if own.is_some() || route["Auth"].get("Authorizer").is_some() {
                assert_eq!(route["Auth"]["Authorizer"], name, "{at}");
            }
            let scopes = list(own.unwrap_or(&authorizer["AuthorizationScopes"]));
            assert!(!scopes.is_empty(), "{at} lets everyone in who has a token");
            let known: &[&str] = match binary.as_str() {
                "note-write" => &["notes:write", "notes:admin"],
                "profile-write" => &["profiles:write", "links:write"],
                "imports" => &["imports:read", "imports:write"],
                _ => &["profiles:lookup", "profiles:read", "pii:read"],
            };
            for scope in scopes {
                // A scope that a condition leaves out.
                let scope = scope.get("Fn::If").map_or(scope, |parts| &parts[2]);
                let scope = scope.as_str().expect("a scope");
                assert!(known.contains(&scope), "{at} takes {scope}, not {known:?}");
            }
            routes += 1;
        }
    }
    assert!(routes >= 5, "{routes} routes");
}

#[test]
fn api_is_throttled() {
    let template = template();
    let api = &template["Resources"]["Api"]["Properties"];
    let settings = &api["DefaultRouteSettings"];
    assert_eq!(referred(&settings["ThrottlingRateLimit"]), "ThrottleRate");
    assert_eq!(referred(&settings["ThrottlingBurstLimit"]), "ThrottleBurst");
    let format = api["AccessLogSettings"]["Format"]
        .as_str()
        .expect("a format");
    let logged: Vec<_> = format
        .split('$')
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap_or_default())
        .collect();
    assert_eq!(
        logged,
        [
            "context.requestId",
            "context.routeKey",
            "context.status",
            "context.authorizer.claims.sub",
            "context.identity.sourceIp",
            "context.responseLatency",
            "context.integrationErrorMessage"
        ]
    );
    // No origin is allowed by default.
    let origins = &template["Parameters"]["CorsOrigins"];
    assert_eq!(origins["Default"], "");
    // Each origin has a host: neither `*` nor `null` is one.
    assert_eq!(origins["AllowedPattern"], "^(https?://[A-Za-z0-9.:-]+)?$");
    assert_eq!(
        api["CorsConfiguration"]["AllowOrigins"],
        json!({"Fn::If": ["HasCors", {"Ref": "CorsOrigins"}, ["https://none.invalid"]]})
    );
    assert!(api["CorsConfiguration"].get("AllowCredentials").is_none());
}
