//! Forget records: the identities that they erase.

use super::mapped;
use crate::record::forget::ForgetKind;

#[test]
fn erases_one_identity_by_default() {
    let whole = |scope: &str| {
        let row = format!(r#"{{"link":{{"mobile":"5550001"}}{scope}}}"#);
        mapped(Some("forget"), &row)
            .unwrap()
            .forget
            .unwrap()
            .whole_profile
    };
    assert!(!whole(""));
    assert!(!whole(r#","scope":"identity""#));
    assert!(whole(r#","scope":"profile""#));
}

#[test]
fn erases_an_address_with_its_md5() {
    let identities = |row: &str| {
        mapped(Some("forget"), row)
            .unwrap()
            .forget
            .unwrap()
            .identities
    };
    let both = identities(r#"{"link":{"email":"Jane@example.com"}}"#);
    let md5 = identities(r#"{"link":{"email_md5":"9e26471d35a78862c17e467d87cddedf"}}"#);
    let sha = identities(
        r#"{"link":{"email_sha256":"8c87b489ce35cf2e2f39f80e282cb2e804932a56a213983eeeb428407d43b52d"}}"#,
    );
    assert_eq!((both.len(), md5.len(), sha.len()), (2, 1, 1));
    assert!(both.contains(&md5[0]) && both.contains(&sha[0]));
    let forget = mapped(Some("forget"), r#"{"records":[{"mobile":"5550001"},{"link":{"mobile":"+5550001"}}],"scope":"profile","suppress":"true"}"#).unwrap().forget.unwrap();
    assert_eq!(
        (forget.identities.len(), forget.whole_profile, forget.kind),
        (1, true, ForgetKind::Suppress)
    );
}
