//! SASL `OAUTHBEARER`: a token as the credential, and where to get one.
//! <https://www.rfc-editor.org/rfc/rfc7628>, <https://www.postgresql.org/docs/current/sasl-authentication.html>

/// The mechanism's name.
pub const OAUTHBEARER: &str = "OAUTHBEARER";

/// With this the client takes note of an error.
const ACKNOWLEDGEMENT: &[u8] = b"\x01";

/// What the client begins with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Bearer<'a> {
    /// No token: it asks where to get one.
    Discovery,
    /// A token. Secret.
    Token(&'a str),
}

/// What a `SASLInitialResponse` for this mechanism says; nothing when it is for another one, or malformed.
#[must_use]
pub fn bearer(body: &[u8]) -> Option<Bearer<'_>> {
    let rest = body.strip_prefix(OAUTHBEARER.as_bytes())?.strip_prefix(b"\0")?;
    let (length, data) = rest.split_first_chunk::<4>()?;
    if u32::from_be_bytes(*length) as usize != data.len() {
        return None;
    }
    let mut parts = std::str::from_utf8(data).ok()?.strip_suffix("\x01\x01")?.split('\x01');
    // Without channel binding, and without speaking for somebody else.
    if !matches!(parts.next()?, "n,," | "y,,") {
        return None;
    }
    let mut found = None;
    for pair in parts {
        let (key, value) = pair.split_once('=')?;
        if key == "auth" && found.replace(value).is_some() {
            return None;
        }
    }
    let value = found?;
    if value.is_empty() {
        return Some(Bearer::Discovery);
    }
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim_start_matches(' ');
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    let whole = scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && token.bytes().all(plain);
    whole.then_some(Bearer::Token(token))
}

/// Whether a `SASLResponse` takes note of an error.
#[must_use]
pub fn is_acknowledgement(body: &[u8]) -> bool {
    body == ACKNOWLEDGEMENT
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(mechanism: &str, data: &str) -> Vec<u8> {
        let length = u32::try_from(data.len()).unwrap().to_be_bytes();
        [mechanism.as_bytes(), b"\0", &length, data.as_bytes()].concat()
    }

    fn token(data: &str) -> Option<String> {
        match bearer(&body(OAUTHBEARER, data))? {
            Bearer::Discovery => Some(String::new()),
            Bearer::Token(token) => Some(token.to_owned()),
        }
    }

    #[test]
    fn what_psql_says_is_understood() {
        assert_eq!(token("n,,\x01auth=\x01\x01").as_deref(), Some(""));
        assert_eq!(token("n,,\x01auth=Bearer a.b-c\x01\x01").as_deref(), Some("a.b-c"));
        let more = "y,,\x01host=db.example\x01port=5432\x01auth=bearer  pst_x\x01\x01";
        assert_eq!(token(more).as_deref(), Some("pst_x"));
    }

    #[test]
    fn what_is_malformed_is_no_token() {
        for data in [
            "",
            "n,,",
            "n,,\x01\x01",
            "n,,\x01auth=Bearer x\x01",
            "n,,\x01auth=Bearer x\x01auth=Bearer y\x01\x01",
            "n,,\x01auth=Bearer \x01\x01",
            "n,,\x01auth=Basic eDp5\x01\x01",
            "n,,\x01auth=Bearer a b\x01\x01",
            "n,,\x01auth=Bearer a\0\x01\x01",
            "n,,\x01auth\x01\x01",
            "n,a=root,\x01auth=Bearer x\x01\x01",
            "p=tls-unique,,\x01auth=Bearer x\x01\x01",
        ] {
            assert_eq!(token(data), None, "{data:?}");
        }
        assert!(bearer(&body("SCRAM-SHA-256", "n,,\x01auth=\x01\x01")).is_none());
        let mut longer = body(OAUTHBEARER, "n,,\x01auth=\x01\x01");
        longer.push(0);
        assert!(bearer(&longer).is_none());
    }
}
