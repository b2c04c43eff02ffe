//! The options of a stack.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use crate::gateway::ImageHost;
use crate::notifications::Delivery;

/// The options of a stack. The default suits tests: in memory, on free ports, without output.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder of the table and the bucket. `None` keeps them until the stack is dropped.
    pub data_dir: Option<PathBuf>,
    /// The address that all three services listen on.
    pub bind: IpAddr,
    /// The port of the HTTP API; 0 selects any free port.
    pub api_port: u16,
    /// The port of S3; 0 selects any free port.
    pub s3_port: u16,
    /// The port of DynamoDB; 0 selects any free port.
    pub dynamodb_port: u16,
    /// Values that replace the defaults of the template's parameters.
    pub parameters: BTreeMap<String, String>,
    /// Environment variables in addition to the template's, by the function's name.
    pub environment: BTreeMap<String, BTreeMap<String, String>>,
    /// Timeouts that replace the template's, by the function's name.
    pub timeouts: BTreeMap<String, Duration>,
    /// The hosts that the Profile tab loads product images from, beside this machine. Empty for any HTTPS host.
    pub image_hosts: Vec<ImageHost>,
    /// The delivery of S3's notifications.
    pub delivery: Delivery,
    /// Whether the functions' log lines are written to standard error.
    pub show_logs: bool,
    /// Whether Cargo's progress is written to standard error.
    pub show_build: bool,
    /// The URL of a Lambda endpoint that runs the functions. If set, the stack has no functions and no HTTP API, and sends S3's
    /// notifications to this endpoint.
    pub lambda_endpoint: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            data_dir: None,
            bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
            api_port: 0,
            s3_port: 0,
            dynamodb_port: 0,
            parameters: BTreeMap::new(),
            environment: BTreeMap::new(),
            timeouts: BTreeMap::new(),
            image_hosts: Vec::new(),
            delivery: Delivery::default(),
            show_logs: false,
            show_build: false,
            lambda_endpoint: None,
        }
    }
}
