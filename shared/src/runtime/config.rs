//! Reads the configuration from the environment, once when a process starts. A missing variable stops the start, with an
//! error that names it.

use std::{fmt, net::IpAddr, time::Duration};

use aws_credential_types::Credentials;
use aws_sdk_dynamodb::config::{BehaviorVersion, Region, SharedHttpClient, timeout::TimeoutConfig};

use crate::{
    model::{
        identifier::{CallingCode, IdentifierRules},
        identity::IdentityKey,
        retention::Retention,
        zone::{self, Zone},
    },
    runtime::connector,
    table::Table,
};

/// The default of `CHUNK_BYTES`: 64 MiB.
const DEFAULT_CHUNK_BYTES: u64 = 64 << 20;
/// The minimum length of the identity key, in bytes. The template generates a longer one.
const MIN_IDENTITY_KEY_BYTES: usize = 16;
/// The maximum wait for the start of a response of the table, before a retry. A connection that broke while Lambda had
/// frozen the process reports no error.
const READ_TIMEOUT: Duration = Duration::from_secs(3);

/// The configuration of a function, from its environment.
#[derive(Clone, Debug)]
pub struct Config {
    /// `TABLE_NAME`
    pub table: String,
    /// `BUCKET_NAME`: the stack's bucket, for functions that use it.
    pub bucket: Option<String>,
    /// `IDENTITY_KEY`: set for ingest, profile-read and profile-write only.
    pub identity_key: Option<IdentityKey>,
    /// `DEFAULT_CURRENCY`: the currency of amounts without one.
    pub currency: String,
    /// `BUSINESS_TIME_ZONE`: the IANA name of the time zone of months and of dates without a time. UTC if it is not set. Set for
    /// profile-read, profile-write and history only.
    pub time_zone: Option<String>,
    /// `OPEN_NAMESPACES`: namespaces of attributes that every client sees, separated by commas. None if it is not set.
    /// Set for profile-read and profile-write only.
    pub open_namespaces: Vec<String>,
    /// `DEFAULT_CALLING_CODE`: set for ingest, profile-read and profile-write only. They refuse a table that was written with another
    /// code.
    pub identifiers: IdentifierRules,
    /// `CHUNK_BYTES`: line-based objects larger than this are imported in byte ranges. 64 MiB if it is not set.
    pub chunk_bytes: u64,
    /// `MAX_RETRIES`: how many times Lambda retries a failed event before the event goes to the on-failure queue. 0 if
    /// it is not set.
    pub max_retries: u64,
    /// `EVENT_RETENTION_DAYS`, `RECORD_RETENTION_DAYS`, `ATTRIBUTE_RETENTION_DAYS`, `NOTE_RETENTION_DAYS`, `RAW_FILE_DAYS`,
    /// `FORGET_FILE_DAYS`, `REJECT_DAYS`, `ERASURE_JOURNAL_DAYS` and `LOG_RETENTION_DAYS`: how long data is kept. There is no
    /// known limit if the variable is not set or 0.
    pub retention: Retention,
    /// `EXPORT_PURPOSES`: the purposes of processing customers' data, for the header of data exports.
    pub export_purposes: String,
    /// `EXPORT_RECIPIENTS`: the recipients of customers' data, for the header of data exports.
    pub export_recipients: String,
    /// `SEPARATE_LOOKUP`: whether look-ups, searches and batches need the scope `profiles:lookup`, so that `profiles:read` does
    /// not suffice. Set for profile-read only.
    pub separate_lookup: bool,
    /// The region, credentials and endpoints of AWS.
    pub aws: Aws,
    /// Whether a local agent replaces the authorizer. Only under SAM CLI or the local stack.
    pub local_agent: bool,
}

/// Region, credentials and endpoints.
#[derive(Clone)]
pub struct Aws {
    /// `AWS_REGION`
    pub region: Region,
    /// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`: the credentials of the function's role.
    /// Lambda sets them, and they are valid for the lifetime of the process.
    pub credentials: Credentials,
    /// The HTTP and TLS client. It trusts the authorities in the file `AWS_CA_BUNDLE`, or else the public ones.
    pub http_client: SharedHttpClient,
    /// `AWS_ENDPOINT_URL_DYNAMODB`, if it is set.
    pub dynamodb_endpoint: Option<String>,
    /// `AWS_ENDPOINT_URL_S3`, if it is set.
    pub s3_endpoint: Option<String>,
    /// `AWS_ENDPOINT_URL_CLOUDWATCH_LOGS`, if it is set. Only audit uses it.
    pub logs_endpoint: Option<String>,
}

/// Why a process cannot start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A variable is not set or empty.
    #[error("the environment variable {0} is missing or empty; set it")]
    Missing(&'static str),
    /// A variable does not have the expected form.
    #[error("the environment variable {0} must be {1}")]
    Invalid(&'static str, &'static str),
    /// TLS cannot use the trusted certificates.
    #[error(
        "the certificates of AWS_CA_BUNDLE cannot be used: {0}. Set it to a PEM file of certificates"
    )]
    Certificates(String),
    /// `AWS_SAM_LOCAL` is set, but the table is not local.
    #[error(
        "AWS_SAM_LOCAL is set, but AWS_ENDPOINT_URL_DYNAMODB is missing or does not name this machine, a container or a private network. Set it to the URL of a local table"
    )]
    LocalAgentOnAws,
}

impl Config {
    /// Reads the environment of this process.
    ///
    /// # Errors
    /// A variable is missing or not valid, the certificates cannot be used, or a local agent would reach a table that
    /// is not local.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::from_variables(|name| std::env::var(name).ok())
    }

    /// Reads the configuration from the variables that `variable` returns by name.
    fn from_variables(
        variable: impl Fn(&'static str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        // SAM CLI can override only variables that the template declares, so an endpoint may be set but empty.
        let optional = |name| variable(name).filter(|value| !value.is_empty());
        let required = |name| optional(name).ok_or(ConfigError::Missing(name));
        let dynamodb_endpoint = optional("AWS_ENDPOINT_URL_DYNAMODB");
        let local_agent = optional("AWS_SAM_LOCAL").as_deref() == Some("true");
        if local_agent && !dynamodb_endpoint.as_deref().is_some_and(is_local) {
            return Err(ConfigError::LocalAgentOnAws);
        }
        let number = |name| match optional(name) {
            None => Ok(None),
            Some(text) => match text.parse() {
                Ok(number) => Ok(Some(number).filter(|number| *number > 0)),
                Err(_) => Err(ConfigError::Invalid(name, "an integer of at least 0")),
            },
        };
        Ok(Self {
            table: required("TABLE_NAME")?,
            bucket: optional("BUCKET_NAME"),
            identity_key: identity_key(optional("IDENTITY_KEY"))?,
            currency: required("DEFAULT_CURRENCY")?,
            time_zone: optional("BUSINESS_TIME_ZONE"),
            open_namespaces: list(optional("OPEN_NAMESPACES")),
            identifiers: IdentifierRules {
                calling_code: calling_code(optional("DEFAULT_CALLING_CODE"))?,
            },
            chunk_bytes: number("CHUNK_BYTES")?.unwrap_or(DEFAULT_CHUNK_BYTES),
            max_retries: number("MAX_RETRIES")?.unwrap_or_default(),
            retention: Retention {
                events: number("EVENT_RETENTION_DAYS")?,
                records: number("RECORD_RETENTION_DAYS")?,
                attributes: number("ATTRIBUTE_RETENTION_DAYS")?,
                notes: number("NOTE_RETENTION_DAYS")?,
                raw_files: number("RAW_FILE_DAYS")?,
                forget_files: number("FORGET_FILE_DAYS")?,
                rejects: number("REJECT_DAYS")?,
                erasure_journal: number("ERASURE_JOURNAL_DAYS")?,
                logs: number("LOG_RETENTION_DAYS")?,
                audit_log: number("AUDIT_RETENTION_DAYS")?,
            },
            export_purposes: optional("EXPORT_PURPOSES").unwrap_or_default(),
            export_recipients: optional("EXPORT_RECIPIENTS").unwrap_or_default(),
            separate_lookup: optional("SEPARATE_LOOKUP").as_deref() == Some("on"),
            aws: Aws::from_variables(&variable)?,
            local_agent,
        })
    }

    /// Returns the identity key, for the functions that need one.
    ///
    /// # Errors
    /// `IDENTITY_KEY` is not set or empty.
    pub fn require_identity_key(&self) -> Result<IdentityKey, ConfigError> {
        self.identity_key
            .clone()
            .ok_or(ConfigError::Missing("IDENTITY_KEY"))
    }

    /// Returns the name of the bucket, for the functions that use it.
    ///
    /// # Errors
    /// `BUCKET_NAME` is not set or empty.
    pub fn require_bucket(&self) -> Result<String, ConfigError> {
        let bucket = self.bucket.clone();
        bucket.ok_or(ConfigError::Missing("BUCKET_NAME"))
    }

    /// Returns the time zone, for the functions that need one. Only these contain the time zone database.
    ///
    /// # Errors
    /// `BUSINESS_TIME_ZONE` is not the name of a time zone.
    pub fn require_zone(&self) -> Result<Zone, ConfigError> {
        let expected = "the name of an IANA time zone, such as Australia/Hobart";
        let Some(name) = &self.time_zone else {
            return Ok(zone::UTC.clone());
        };
        Zone::named(name).ok_or(ConfigError::Invalid("BUSINESS_TIME_ZONE", expected))
    }

    /// Returns the table.
    pub fn table(&self) -> Table {
        Table::new(self.dynamodb(), self.table.clone())
    }

    /// Returns the DynamoDB client.
    pub fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        let mut config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(self.aws.http_client.clone())
            .region(self.aws.region.clone())
            .timeout_config(TimeoutConfig::builder().read_timeout(READ_TIMEOUT).build())
            .credentials_provider(self.aws.credentials.clone());
        if let Some(endpoint) = &self.aws.dynamodb_endpoint {
            config = config.endpoint_url(endpoint);
        }
        aws_sdk_dynamodb::Client::from_conf(config.build())
    }
}

impl Aws {
    /// Reads the environment of this process, for a function that needs no other configuration of this module.
    ///
    /// # Errors
    /// A variable is missing, or the certificates cannot be used.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::from_variables(&|name| std::env::var(name).ok())
    }

    fn from_variables(
        variable: &impl Fn(&'static str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let optional = |name| variable(name).filter(|value| !value.is_empty());
        let required = |name| optional(name).ok_or(ConfigError::Missing(name));
        Ok(Self {
            region: Region::new(required("AWS_REGION")?),
            credentials: Credentials::new(
                required("AWS_ACCESS_KEY_ID")?,
                required("AWS_SECRET_ACCESS_KEY")?,
                optional("AWS_SESSION_TOKEN"),
                None,
                "environment",
            ),
            http_client: connector::client(optional("AWS_CA_BUNDLE").as_deref())
                .map_err(|error| ConfigError::Certificates(error.to_string()))?,
            dynamodb_endpoint: optional("AWS_ENDPOINT_URL_DYNAMODB"),
            s3_endpoint: optional("AWS_ENDPOINT_URL_S3"),
            logs_endpoint: optional("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS"),
        })
    }
}

/// Splits a list at its commas, without empty names.
fn list(text: Option<String>) -> Vec<String> {
    let text = text.unwrap_or_default();
    let names = text
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty());
    names.map(str::to_owned).collect()
}

/// Creates the identity key, if one is set. Whoever guesses a short key can compute the IDs of customers.
fn identity_key(secret: Option<String>) -> Result<Option<IdentityKey>, ConfigError> {
    let expected = "a secret of at least 16 characters";
    match secret {
        Some(secret) if secret.len() < MIN_IDENTITY_KEY_BYTES => {
            Err(ConfigError::Invalid("IDENTITY_KEY", expected))
        }
        secret => Ok(secret.and_then(|secret| IdentityKey::new(&secret))),
    }
}

/// Parses the calling code, if one is set.
fn calling_code(text: Option<String>) -> Result<Option<CallingCode>, ConfigError> {
    let expected = "a country calling code such as 61, 1/10 or 47/8";
    text.map(|text| text.parse())
        .transpose()
        .map_err(|_| ConfigError::Invalid("DEFAULT_CALLING_CODE", expected))
}

/// Leaves the credentials out.
impl fmt::Debug for Aws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aws")
            .field("region", &self.region)
            .field("dynamodb_endpoint", &self.dynamodb_endpoint)
            .field("s3_endpoint", &self.s3_endpoint)
            .finish_non_exhaustive()
    }
}

/// The ends of names that only this machine or a private network resolves.
const LOCAL_ENDS: [&str; 3] = [".localhost", ".local", ".internal"];

/// Returns whether the host of a URL is this machine, a container or in a private network. AWS's endpoints are not.
fn is_local(url: &str) -> bool {
    let Ok(uri) = url.parse::<hyper::Uri>() else {
        return false;
    };
    let Some(host) = uri.host() else {
        return false;
    };
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    match address.parse() {
        Ok(IpAddr::V4(address)) => address.is_loopback() || address.is_private(),
        Ok(IpAddr::V6(address)) => address.is_loopback() || address.is_unique_local(),
        Err(_) => !host.contains('.') || LOCAL_ENDS.iter().any(|end| host.ends_with(end)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(extra: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let base = [
            ("TABLE_NAME", "t"),
            ("DEFAULT_CURRENCY", "USD"),
            ("AWS_REGION", "eu-west-1"),
            ("AWS_ACCESS_KEY_ID", "a"),
            ("AWS_SECRET_ACCESS_KEY", "s"),
        ];
        Config::from_variables(|name| {
            let all = extra.iter().chain(&base);
            all.into_iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn a_missing_variable_names_itself() {
        assert_eq!(
            config(&[("TABLE_NAME", "")]).unwrap_err(),
            ConfigError::Missing("TABLE_NAME")
        );
        assert_eq!(
            config(&[]).unwrap().require_identity_key().unwrap_err(),
            ConfigError::Missing("IDENTITY_KEY")
        );
    }

    #[test]
    fn the_local_agent_needs_a_local_table() {
        let sam = ("AWS_SAM_LOCAL", "true");
        let endpoint = |url| {
            config(&[sam, ("AWS_ENDPOINT_URL_DYNAMODB", url)]).map(|config| config.local_agent)
        };
        assert_eq!(config(&[sam]).unwrap_err(), ConfigError::LocalAgentOnAws);
        for url in [
            "",
            "https://dynamodb.eu-west-1.amazonaws.com",
            "https://DynamoDB.x.AmazonAWS.com.",
            "https://dynamodb.cn-north-1.amazonaws.com.cn",
            "https://dynamodb.eusc-de-east-1.amazonaws.eu",
            "https://dynamodb.us-isof-east-1.api.aws.hci.ic.gov",
            "https://vpce-1.dynamodb.eu-west-1.vpce.amazonaws.com",
            "http://dynamodb.example:8000",
            "http://52.94.0.1",
            "http://169.254.169.254",
            "http://[2600::1]:8000",
            "http://127.0.0.1.example:8000",
            "nonsense\\",
        ] {
            assert_eq!(endpoint(url), Err(ConfigError::LocalAgentOnAws), "{url}");
        }
        for url in [
            "http://127.0.0.1:8000",
            "http://[::1]:8000",
            "http://172.17.0.1:8000",
            "http://[fd00::1]:8000",
            "http://localhost:8000",
            "http://dynamodb:8000",
            "http://host.docker.internal:8000",
        ] {
            assert_eq!(endpoint(url), Ok(true), "{url}");
        }
        assert!(!config(&[]).unwrap().local_agent);
        assert!(!config(&[("AWS_SAM_LOCAL", "false")]).unwrap().local_agent);
    }

    #[test]
    fn calling_codes_are_checked() {
        let of = |code| {
            config(&[("DEFAULT_CALLING_CODE", code)]).map(|config| config.identifiers.calling_code)
        };
        assert_eq!(of(""), Ok(None));
        assert_eq!(of("47/8"), Ok("47/8".parse().ok()));
        for code in ["+61", "0", "AU", "61/99"] {
            let error = of(code).unwrap_err();
            assert!(
                matches!(error, ConfigError::Invalid("DEFAULT_CALLING_CODE", _)),
                "{error}"
            );
        }
    }

    #[test]
    fn certificates_that_can_not_be_used_fail_the_start() {
        for path in [
            "/nowhere.pem",
            concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"),
        ] {
            let error = config(&[("AWS_CA_BUNDLE", path)]).unwrap_err();
            assert!(matches!(error, ConfigError::Certificates(_)), "{error}");
        }
    }

    #[test]
    fn time_zones_are_checked() {
        let zone = |name: &str| {
            let config = config(&[("BUSINESS_TIME_ZONE", name)]).unwrap();
            config.require_zone()
        };
        assert_eq!(zone(""), Ok(zone::UTC.clone()));
        let hobart = zone("Australia/Hobart").unwrap();
        assert_eq!(hobart.name(), "Australia/Hobart");
        for name in ["Hobart", "Australia/Hobart ", "+10:00"] {
            let error = zone(name).unwrap_err().to_string();
            assert_eq!(
                error,
                "the environment variable BUSINESS_TIME_ZONE must be the name of an IANA time zone, such as Australia/Hobart"
            );
        }
    }

    #[test]
    fn open_namespaces_are_separated_by_commas() {
        let of = |names| {
            config(&[("OPEN_NAMESPACES", names)])
                .unwrap()
                .open_namespaces
        };
        assert_eq!(of(""), Vec::<String>::new());
        assert_eq!(of("segments"), ["segments"]);
        assert_eq!(of("segments, loyalty ,"), ["segments", "loyalty"]);
    }

    #[test]
    fn credentials_are_not_printed() {
        let key = ("IDENTITY_KEY", "hush hush hush hush");
        let config = config(&[("AWS_SECRET_ACCESS_KEY", "hush"), key]).unwrap();
        assert!(!format!("{config:?}").contains("hush"));
    }

    #[test]
    fn short_identity_keys_are_rejected() {
        let of = |key| config(&[("IDENTITY_KEY", key)]).map(|config| config.identity_key.is_some());
        assert_eq!(
            of("fifteen bytes .").unwrap_err().to_string(),
            "the environment variable IDENTITY_KEY must be a secret of at least 16 characters"
        );
        assert_eq!(of("local-identity-key"), Ok(true));
    }
}
