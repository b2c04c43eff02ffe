//! Command-line arguments.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use clap::{Parser, Subcommand};
use local::{ImageHost, Options};

/// Run the whole service on this machine: DynamoDB, S3, the functions and the HTTP API.
#[derive(Debug, Parser)]
#[command(name = "local", version, args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// Start without the sample data
    #[arg(long)]
    pub(crate) empty: bool,
    /// Keep the table and the bucket in this folder. Default: delete them at the end
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Port of the HTTP API; 0 selects a free port
    #[arg(long, value_name = "PORT", default_value_t = 3000)]
    api_port: u16,
    /// Port of S3; 0 selects a free port
    #[arg(long, value_name = "PORT", default_value_t = 9000)]
    s3_port: u16,
    /// Port of DynamoDB; 0 selects a free port
    #[arg(long, value_name = "PORT", default_value_t = 8000)]
    dynamodb_port: u16,
    /// Address to listen on. Warning: the services have no authentication, so every host that reaches the address has full access
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    bind: IpAddr,
    /// Run only DynamoDB and S3, for functions that run elsewhere (SAM CLI, cargo lambda)
    #[arg(long)]
    pub(crate) services_only: bool,
    /// Lambda endpoint that receives S3's notifications; requires --services-only
    #[arg(
        long,
        value_name = "URL",
        requires = "services_only",
        default_value = "http://127.0.0.1:3001"
    )]
    lambda_endpoint: String,
    /// Set a parameter of the template instead of its default; repeatable
    #[arg(long = "parameter", value_name = "NAME=VALUE", value_parser = parameter)]
    parameters: Vec<(String, String)>,
    /// Load product images in the Profile tab only from this host and this machine; repeatable. Default: any HTTPS host
    #[arg(long = "image-host", value_name = "HOST")]
    image_hosts: Vec<ImageHost>,
    /// Show the log lines of the functions
    #[arg(long)]
    pub(crate) logs: bool,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write sample files of any size, for tests and measurements
    Generate {
        /// Number of customers
        #[arg(long, value_name = "N")]
        customers: u32,
        /// Folder to write to. The files to import are in its folder drop/
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// Seed of the random numbers; the same seed produces the same files
        #[arg(long, value_name = "S", default_value_t = 1)]
        seed: u64,
    },
}

impl Arguments {
    pub(crate) fn options(&self) -> Options {
        Options {
            data_dir: self.data_dir.clone(),
            bind: self.bind,
            api_port: self.api_port,
            s3_port: self.s3_port,
            dynamodb_port: self.dynamodb_port,
            parameters: self.parameters.iter().cloned().collect(),
            image_hosts: self.image_hosts.clone(),
            show_logs: self.logs,
            show_build: true,
            lambda_endpoint: self.services_only.then(|| self.lambda_endpoint.clone()),
            ..Options::default()
        }
    }
}

fn parameter(text: &str) -> Result<(String, String), &'static str> {
    let (name, value) = text
        .split_once('=')
        .ok_or("the parameter has no `=`; write NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from(["local"].into_iter().chain(line.split_whitespace()))
    }

    #[test]
    fn ports_and_endpoint_have_defaults() {
        let options = parsed("").unwrap().options();
        assert_eq!(
            (options.api_port, options.s3_port, options.dynamodb_port),
            (3000, 9000, 8000)
        );
        assert_eq!(
            (options.bind.to_string().as_str(), options.lambda_endpoint),
            ("127.0.0.1", None)
        );
        let options = parsed("--services-only --s3-port 0").unwrap().options();
        assert_eq!(
            (options.s3_port, options.lambda_endpoint.as_deref()),
            (0, Some("http://127.0.0.1:3001"))
        );
    }

    #[test]
    fn parameters_are_names_and_values() {
        let given = "--parameter CorsOrigins=http://a,http://b --parameter DefaultCurrency=AUD";
        let parameters = parsed(given).unwrap().options().parameters;
        assert_eq!(parameters["CorsOrigins"], "http://a,http://b");
        assert_eq!(parameters["DefaultCurrency"], "AUD");
        assert!(parsed("--parameter CorsOrigins").is_err());
    }

    #[test]
    fn image_hosts_are_hosts() {
        let given = "--image-host https://a.example --image-host https://*.b.example";
        assert_eq!(parsed(given).unwrap().options().image_hosts.len(), 2);
        assert!(parsed("--image-host a.example").is_err());
    }

    #[test]
    fn generate_has_a_seed_and_takes_no_flags_of_the_stack() {
        let Some(Command::Generate {
            customers,
            out,
            seed,
        }) = parsed("generate --customers 10 --out x").unwrap().command
        else {
            panic!("no generate")
        };
        assert_eq!((customers, out.to_str(), seed), (10, Some("x"), 1));
        assert!(parsed("--empty generate --customers 1 --out x").is_err());
        assert!(parsed("--api-port 70000").is_err());
    }

    #[test]
    fn lambda_endpoint_requires_services_only() {
        assert!(parsed("--lambda-endpoint http://127.0.0.1:1").is_err());
        assert!(parsed("--lambda-endpoint http://127.0.0.1:1 --services-only").is_ok());
    }
}
