//! Requests that change notes and links, and their lines.

use serde_json::json;

use super::{ALL, Audited, Request, check, text};

pub(super) async fn record_notes(audited: &mut Audited, id: &str) {
    let create = || {
        Request::new("note-write", "POST", format!("/profiles/{id}/notes"))
            .header("idempotency-key", "n")
            .body(json!({"text": "Canary"}))
    };
    let (line, note) = audited.send(&create(), ALL).await;
    let note_id = text(&note, "id");
    let both = json!({"profiles": id, "note": note_id});
    check(&line, "note.create", "ok", both.clone());
    let (line, _) = audited.send(&create(), ALL).await;
    let repeated = json!({"profiles": id, "note": note_id, "mode": "repeated"});
    check(&line, "note.create", "ok", repeated);
    let path = format!("/profiles/{id}/notes/{note_id}");
    let (line, _) = audited
        .send(&Request::new("profile-read", "GET", &path), ALL)
        .await;
    check(&line, "note.read", "ok", both.clone());
    let change = |etag: &str| {
        Request::new("note-write", "PATCH", &path)
            .header("if-match", etag)
            .body(json!({"pinned": true}))
    };
    let (line, _) = audited.send(&change("\"other\""), ALL).await;
    check(&line, "note.change", "conflict", both.clone());
    let (line, changed) = audited.send(&change(text(&note, "etag")), ALL).await;
    check(&line, "note.change", "ok", both.clone());
    let delete =
        Request::new("note-write", "DELETE", &path).header("if-match", text(&changed, "etag"));
    let (line, _) = audited.send(&delete, ALL).await;
    check(&line, "note.delete", "ok", both);
}

pub(super) async fn record_links(audited: &mut Audited, id: &str, other: &str) {
    let write = |method, path: &str, key: &str| {
        Request::new("profile-write", method, path)
            .header("idempotency-key", key)
            .header("if-match", "*")
    };
    let link = json!({"identity": other, "reason": "Canary"});
    let path = format!("/profiles/{id}/links");
    let preview = write("POST", &format!("{path}?preview=true"), "l").body(link.clone());
    let (line, _) = audited.send(&preview, ALL).await;
    let (low, high) = if id < other { (id, other) } else { (other, id) };
    let link_id = format!("{low}.{high}.agents");
    // The canonical id of the profile is one of both.
    let both = format!("{id} {other}");
    let expected =
        json!({"profiles": both, "links": link_id, "decision": "linked", "mode": "preview"});
    check(&line, "link.create", "ok", expected);
    let (line, _) = audited
        .send(&write("POST", &path, "l").body(link.clone()), ALL)
        .await;
    check(
        &line,
        "link.create",
        "ok",
        json!({"profiles": both, "links": link_id, "decision": "linked"}),
    );
    let (line, _) = audited
        .send(&write("POST", &path, "l").body(link), ALL)
        .await;
    let repeated =
        json!({"profiles": both, "links": link_id, "decision": "linked", "mode": "repeated"});
    check(&line, "link.create", "ok", repeated);
    let separate = write("DELETE", &format!("/profiles/{id}/identities/{other}"), "s");
    let (line, _) = audited.send(&separate, ALL).await;
    let expected =
        json!({"profiles": id, "identity": other, "links": link_id, "decision": "separated"});
    check(&line, "identity.separate", "ok", expected);
    let unlink = write("DELETE", &format!("{path}/{link_id}"), "u");
    let (line, _) = audited.send(&unlink, ALL).await;
    // The decision before counts again.
    let expected = json!({"profiles": both, "links": link_id, "decision": "linked"});
    check(&line, "link.delete", "ok", expected);
}
