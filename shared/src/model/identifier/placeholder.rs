//! Placeholders: values that systems write if a customer has no identifier. As an identifier, a placeholder would merge
//! strangers.

/// Placeholder ids in lowercase. `infra/docs/reference/records.md` lists them.
const IDS: &[&str] = &[
    "null",
    "(null)",
    "<null>",
    "\\n",
    "nil",
    "none",
    "undefined",
    "nan",
    "n/a",
    "na",
    "#n/a",
    "-",
    "--",
    "?",
    "unknown",
    "anonymous",
    "guest",
    "test",
    "true",
    "false",
    "[object object]",
    "#ref!",
    "#value!",
    "#name?",
    "#null!",
    "#num!",
    "#div/0!",
];

/// Placeholder local parts of addresses in lowercase, for every domain. `infra/docs/reference/records.md` lists them.
const LOCAL_PARTS: &[&str] = &[
    "noemail",
    "no-email",
    "no_email",
    "no.email",
    "nomail",
    "no-mail",
    "none",
    "null",
    "undefined",
    "unknown",
    "anonymous",
    "n/a",
];

/// Placeholder addresses in lowercase. `infra/docs/reference/records.md` lists them.
const ADDRESSES: &[&str] = &["test@test.com", "email@email.com", "asdf@asdf.com"];

/// SHA-256 and MD5 digests of the empty string and of the most frequent placeholders.
const DIGESTS: &[&str] = &[
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "d41d8cd98f00b204e9800998ecf8427e",
    "74234e98afe7498fb5daf1f36ac2d78acc339464f950703b8c019892f982b90b",
    "37a6259cc0c1dae299a7866489dff0bd",
    "140bedbf9c3f6d56a9846d2ba7088798683f4da0c248231336e6a05679e4fdfe",
    "334c4a4c42fdb79d7ebc3e73b517e6f8",
    "eb045d78d273107348b0300c01d29b7552d622abbc6faf81b3ec55359aa9950c",
    "5e543256c480ac577d30f76f9120eb74",
    "9b2d5b4678781e53038e91ea5324530a03f27dc1d0e5f6c9bc9d493a23be9de0",
    "a3d2de7675556553a5f08e4c88d2c228",
    "a683c5c5349f6f7fb903ba8a9e7e55d0ba1b8f03579f95be83f4954c33e81098",
    "274b68192b056e268f128ff63bfcd4a4",
    "f660ab912ec121d1b1e928a0bb4bc61b15f5ad44d5efdc4e1c92a25e99b8e44a",
    "b642b4217b34b1e8d3bd915fc65c4452",
];

/// Returns whether an id is a placeholder: one of `IDS`, or zeros with only hyphens and braces, such as `0` and the nil
/// UUID.
pub(super) fn is_id(value: &str) -> bool {
    IDS.iter().any(|id| id.eq_ignore_ascii_case(value)) || is_zero(value)
}

fn is_zero(value: &str) -> bool {
    value.contains('0')
        && value
            .bytes()
            .all(|byte| matches!(byte, b'0' | b'-' | b'{' | b'}'))
}

/// Returns whether an address in its normal form is a placeholder.
pub(super) fn is_address(address: &str) -> bool {
    let local = address.split('@').next().unwrap_or_default();
    LOCAL_PARTS.contains(&local) || ADDRESSES.contains(&address)
}

/// Returns whether the digits of a phone number are one digit repeated.
pub(super) fn is_phone(digits: &str) -> bool {
    let mut digits = digits.bytes();
    digits
        .next()
        .is_some_and(|first| digits.all(|digit| digit == first))
}

/// Returns whether a lowercase digest is that of a placeholder.
pub(super) fn is_digest(digest: &str) -> bool {
    DIGESTS.contains(&digest) || digest.bytes().all(|digit| digit == b'0')
}

#[cfg(test)]
mod tests {
    use md5::Md5;
    use sha2::{Digest as _, Sha256};

    use super::*;

    #[test]
    fn ids_in_any_case() {
        for id in [
            "null",
            "Null",
            "NIL",
            "None",
            "UNDEFINED",
            "NaN",
            "n/A",
            "NA",
            "#N/A",
            "-",
            "?",
            "0",
            "000",
            "Unknown",
            "ANONYMOUS",
            "Guest",
            "TEST",
            "True",
            "FALSE",
            "[object Object]",
            "\\N",
            "#REF!",
            "00000000-0000-0000-0000-000000000000",
            "{00000000-0000-0000-0000-000000000000}",
            "00000000000000000000000000000000",
        ] {
            assert!(is_id(id), "{id}");
        }
        for id in [
            "C0",
            "10",
            "0x0",
            "tests",
            "guest1",
            "nulls",
            "---",
            "-0a",
            "N",
            "00000000-0000-0000-0000-000000000001",
        ] {
            assert!(!is_id(id), "{id}");
        }
    }

    /// `infra/docs/reference/records.md` lists every placeholder.
    #[test]
    fn placeholders_are_documented() {
        let page = include_str!("../../../../infra/docs/reference/records.md").to_lowercase();
        for id in IDS.iter().chain(ADDRESSES) {
            assert!(page.contains(&format!("`{id}`")), "{id}");
        }
        for local in LOCAL_PARTS {
            assert!(page.contains(&format!("`{local}@`")), "{local}");
        }
    }

    #[test]
    fn addresses_of_the_list() {
        for address in [
            "noemail@x.com",
            "none@example.com",
            "test@test.com",
            "n/a@n.com",
        ] {
            assert!(is_address(address), "{address}");
        }
        for address in [
            "test@example.com",
            "nonet@x.com",
            "jane@test.com",
            "na@x.com",
        ] {
            assert!(!is_address(address), "{address}");
        }
    }

    #[test]
    fn digests_of_placeholders() {
        for text in [
            "",
            "null",
            "none",
            "undefined",
            "nan",
            "n/a",
            "test@test.com",
        ] {
            let sha256 = data_encoding::HEXLOWER.encode(&Sha256::digest(text));
            let md5 = data_encoding::HEXLOWER.encode(&Md5::digest(text));
            assert!(is_digest(&sha256) && is_digest(&md5), "{text}");
        }
        assert!(is_digest(&"0".repeat(64)) && !is_digest(&"a".repeat(64)));
        let jane = data_encoding::HEXLOWER.encode(&Sha256::digest("jane@fake.com"));
        assert!(!is_digest(&jane));
    }

    #[test]
    fn phones_of_one_digit() {
        assert!(is_phone("0000000") && is_phone("9") && is_phone("11111111111"));
        assert!(!is_phone("61400000000") && !is_phone(""));
    }
}
