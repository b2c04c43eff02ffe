//! Operations on the events of a profile.

use super::{
    NOTHING,
    caller::{Caller, Request},
};

#[tokio::test(flavor = "multi_thread")]
async fn responses_match() {
    let mut caller = Caller::start().await;
    let (profile, id) = caller.jane().await;
    caller.call_pages("history", &id).await;
    let events = profile["history"]["items"].as_array().expect("events");
    assert_eq!(events.len(), 6);
    let events = events.iter().map(|event| event["id"].as_str());
    for event in events {
        let event = event.expect("an id");
        let request = Request::new("GET", "/profiles/{id}/history/{eventId}");
        let path = format!("/profiles/{id}/history/{event}");
        caller.call(request.path(path), 200).await;
    }
    let request = Request::new("GET", "/profiles/{id}/history/{eventId}");
    let path = format!("/profiles/{id}/history/{NOTHING}.x");
    caller.call(request.path(path), 404).await;
    caller.check_complete("history");
}
