//! Command-line arguments.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use clap::{Parser, Subcommand};
use local::Options;

/// Runs the whole service on this machine: DynamoDB, S3, the functions and the HTTP API.
#[derive(Debug, Parser)]
#[command(name = "local", version, args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// Starts without the sample data
    #[arg(long)]
    pub(crate) empty: bool,
    /// Keeps table and bucket in this folder; without it they last until the stop
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The HTTP API's port; 0 is any free one
    #[arg(long, value_name = "PORT", default_value_t = 3000)]
    api_port: u16,
    /// S3's port; 0 is any free one
    #[arg(long, value_name = "PORT", default_value_t = 9000)]
    s3_port: u16,
    /// DynamoDB's port; 0 is any free one
    #[arg(long, value_name = "PORT", default_value_t = 8000)]
    dynamodb_port: u16,
    /// The address to listen on. Nothing here asks who is calling: think before you open it to a network
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    bind: IpAddr,
    /// Runs DynamoDB and S3 alone, for functions that run elsewhere (SAM CLI, cargo lambda)
    #[arg(long)]
    pub(crate) services_only: bool,
    /// With --services-only: where S3's notifications are sent
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:3001")]
    lambda_endpoint: String,
    /// A parameter of the template, instead of its default; can be given more than once
    #[arg(long = "parameter", value_name = "NAME=VALUE", value_parser = parameter)]
    parameters: Vec<(String, String)>,
    /// Shows what the functions log
    #[arg(long)]
    pub(crate) logs: bool,
}

/// What else it does.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Writes sample files of any size, for trying out and measuring
    Generate {
        /// How many customers the files tell of
        #[arg(long, value_name = "N")]
        customers: u32,
        /// The folder to write to; what is in it is what goes under drop/
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// The same seed gives the same files
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
            show_logs: self.logs,
            show_build: true,
            lambda_endpoint: self.services_only.then(|| self.lambda_endpoint.clone()),
            ..Options::default()
        }
    }
}

fn parameter(text: &str) -> Result<(String, String), &'static str> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
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
}
