//! Tests the pool without a build. The processes are shell scripts that call the runtime API with `curl`, if both exist.

use super::*;

/// Responds to each event with its process id, or acts as the event specifies.
const SCRIPT: &str = r#"#!/bin/sh
api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime"
echo "started with $COLOR and HOME=$HOME"
while true; do
  headers=$(mktemp)
  event=$(curl -sf -D "$headers" "$api/invocation/next") || exit 0
  id=$(tr -d '\r' < "$headers" | sed -n 's/^[Ll]ambda-[Rr]untime-[Aa]ws-[Rr]equest-[Ii]d: //p')
  rm "$headers"
  case "$event" in
    *exit*) exit 3 ;;
    *hang*) sleep 60 ;;
    *log*) seq 20000; echo end >&2; printf unfinished; curl -s -o /dev/null "$api/invocation/$id/response" -d "$$" ;;
    *fail*) curl -s -o /dev/null "$api/invocation/$id/error" -d '{"errorType":"Mine","errorMessage":"no"}' ;;
    *slow*) sleep 0.3; curl -s -o /dev/null "$api/invocation/$id/response" -d "$$" ;;
    *) curl -s -o /dev/null "$api/invocation/$id/response" -d "$$" ;;
  esac
done
"#;

struct Fixture {
    lambda: Lambda,
    logs: Logs,
    _folder: tempfile::TempDir,
}

fn fixture() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("function");
    std::fs::write(&path, SCRIPT).unwrap();
    let status = std::process::Command::new("chmod")
        .arg("+x")
        .arg(&path)
        .status()
        .unwrap();
    assert!(status.success());
    let function = Function {
        log_group: String::new(),
        subscriptions: Vec::new(),
        allows: Vec::new(),
        logical_id: "F".into(),
        name: "f".into(),
        binary: "f".into(),
        timeout: Duration::from_secs(1),
        memory: 128,
        concurrency: 2,
        retries: 2,
        environment: BTreeMap::new(),
        routes: Vec::new(),
        notifications: Vec::new(),
    };
    let environment = BTreeMap::from([("COLOR".to_owned(), "green".to_owned())]);
    let logs = Logs::default();
    let programs = BTreeMap::from([("f".to_owned(), Program { path, environment })]);
    let lambda = Lambda::new(
        &BTreeMap::from([("F".to_owned(), function)]),
        &programs,
        &logs,
    );
    Fixture {
        lambda,
        logs,
        _folder: folder,
    }
}

impl Fixture {
    async fn invoke(&self, event: &str) -> Result<String, InvokeError> {
        let result = self
            .lambda
            .invoke(
                "F",
                &uuid::Uuid::new_v4().to_string(),
                Bytes::from(format!("{event:?}")),
            )
            .await;
        result.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
    }
}

#[tokio::test]
async fn idle_process_is_used_again_and_busy_one_is_not_shared() {
    let fixture = fixture();
    let first = fixture.invoke("a").await.unwrap();
    assert_eq!(fixture.invoke("b").await.unwrap(), first);
    let (a, b, c) = tokio::join!(
        fixture.invoke("slow"),
        fixture.invoke("slow"),
        fixture.invoke("slow")
    );
    let ids = std::collections::BTreeSet::from([a.unwrap(), b.unwrap(), c.unwrap()]);
    assert_eq!(ids.len(), 2, "two at once, the third waits for one of them");
    assert_eq!(
        fixture.logs.all()[0],
        "started with green and HOME=",
        "nothing of this process's environment"
    );
}

#[tokio::test]
async fn errors_are_reported_and_next_invocation_succeeds() {
    let fixture = fixture();
    let first = fixture.invoke("a").await.unwrap();
    assert_eq!(
        fixture.invoke("fail").await.unwrap_err(),
        InvokeError::new("Mine", "no")
    );
    assert_eq!(
        fixture.invoke("a").await.unwrap(),
        first,
        "a reported error leaves the process alive"
    );
    let exited = fixture.invoke("exit").await.unwrap_err();
    assert_eq!(
        exited,
        InvokeError::new(
            "Runtime.ExitError",
            "Runtime exited with error: exit status: 3"
        )
    );
    let second = fixture.invoke("a").await.unwrap();
    assert_ne!(second, first);
    let hung = fixture.invoke("hang").await.unwrap_err();
    assert_eq!(
        hung,
        InvokeError::new("Sandbox.Timedout", "Task timed out after 1.00 seconds")
    );
    assert_ne!(fixture.invoke("a").await.unwrap(), second);
}

#[tokio::test]
async fn logs_are_complete_when_invocation_ends() {
    let fixture = fixture();
    for invocations in 1..=3 {
        fixture.invoke("log").await.unwrap();
        let logs = fixture.logs.all();
        assert_eq!(logs.len(), 1 + invocations * 20_002);
        assert_eq!(logs[logs.len() - 3..], ["20000", "end", "unfinished"]);
    }
    fixture.invoke("exit").await.unwrap_err();
}

#[tokio::test]
async fn stopping_ends_every_process() {
    let fixture = fixture();
    let id = fixture.invoke("a").await.unwrap();
    let alive = || {
        std::process::Command::new("kill")
            .args(["-0", &id])
            .output()
            .unwrap()
            .status
            .success()
    };
    assert!(alive());
    fixture.lambda.stop().await;
    assert!(!alive());
    assert_eq!(fixture.lambda.with_name("f"), Some("F"));
}

#[tokio::test]
async fn missing_program_is_reported() {
    let mut fixture = fixture();
    fixture._folder.close().unwrap();
    fixture._folder = tempfile::tempdir().unwrap();
    assert_eq!(
        fixture.invoke("a").await.unwrap_err().error_type,
        "Runtime.InvalidEntrypoint"
    );
    let unknown = fixture
        .lambda
        .invoke("G", "1", Bytes::new())
        .await
        .unwrap_err();
    assert_eq!(unknown.error_type, "ResourceNotFoundException");
}
