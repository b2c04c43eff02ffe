//! What the functions cost, measured side by side with what one would pick instead. See the README here.

use std::{fmt::Write as _, path::PathBuf, process::ExitCode};

use clap::{Parser, ValueEnum};

mod build;
mod function;
mod hot;
mod ingest;
mod instructions;
mod large;
mod mapped;
mod memory;
mod ranges;
mod read;
mod replay;
mod report;
mod requests;
mod rows;
mod services;
mod start;
mod stored;
mod tls;

use report::Report;

/// Why a measurement failed.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Measures, prints, and writes infra/bench/results.md
#[derive(Debug, Parser)]
#[command(name = "bench")]
struct Arguments {
    /// What to measure; everything where nothing is named
    #[arg(value_enum)]
    subjects: Vec<Subject>,
    /// Compares the instructions of the functions in this folder with those on record, and measures nothing else
    #[arg(long, value_name = "DIR")]
    check: Option<PathBuf>,
    /// With --check: puts the instructions on record instead
    #[arg(long, requires = "check")]
    record: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Subject {
    /// From exec to the first event and the first response; the binaries' sizes
    Start,
    /// Instructions, requests and read units of profiles and history
    Read,
    /// Units, CPU, memory and time of customers with many events
    Large,
    /// Units, CPU and time of each request and each row over the sample data
    Requests,
    /// CPU, requests, write units and pace of imports
    Ingest,
    /// Imports with a hot key: time, and throttled statements
    Hot,
    /// CPU of records that mappings make of exports
    Mapped,
    /// Files of 10 MB and 2 GB, plain and compressed: time and memory
    Memory,
    /// A file of 2 GB in one range and in 32
    Ranges,
}

impl Subject {
    const ALL: [Self; 9] = [
        Self::Start,
        Self::Read,
        Self::Large,
        Self::Requests,
        Self::Ingest,
        Self::Hot,
        Self::Mapped,
        Self::Memory,
        Self::Ranges,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Start => "Start",
            Self::Read => "Read",
            Self::Large => "Large customers",
            Self::Requests => "Requests",
            Self::Ingest => "Ingest",
            Self::Hot => "Hot keys",
            Self::Mapped => "Mapped files",
            Self::Memory => "Large files",
            Self::Ranges => "Ranges",
        }
    }

    async fn measure(self) -> Result<Report, Failure> {
        match self {
            Self::Start => start::measure().await,
            Self::Read => read::measure().await,
            Self::Large => large::measure().await,
            Self::Requests => requests::measure().await,
            Self::Ingest => ingest::measure().await,
            Self::Hot => hot::measure().await,
            Self::Mapped => mapped::measure().await,
            Self::Memory => memory::measure().await,
            Self::Ranges => ranges::measure().await,
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("bench: {failure}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> Result<(), Failure> {
    if let Some(folder) = &arguments.check {
        return instructions::check(folder, arguments.record).await;
    }
    let path = build::workspace().join("infra/bench/results.md");
    for subject in Subject::ALL {
        if !arguments.subjects.is_empty() && !arguments.subjects.contains(&subject) {
            continue;
        }
        println!("{}", subject.name());
        let report = subject.measure().await?;
        // Written now, so that the figures are kept if the next subject fails.
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        std::fs::write(
            &path,
            with_section(&text, subject.name(), &report.markdown()),
        )?;
    }
    println!("written to {}", path.display());
    Ok(())
}

/// The results with one subject's section anew.
fn with_section(text: &str, name: &str, section: &str) -> String {
    let mut sections: Vec<(String, String)> = text
        .split("\n## ")
        .skip(1)
        .filter_map(|part| part.split_once('\n'))
        .map(|(name, text)| (name.to_owned(), text.trim().to_owned()))
        .filter(|(other, _)| other != name)
        .collect();
    sections.push((name.to_owned(), section.trim().to_owned()));
    sections.sort_by_key(|(name, _)| {
        Subject::ALL
            .iter()
            .position(|subject| subject.name() == name)
    });
    let mut text =
        "# What it costs, as measured\n\nWritten by `cargo run --profile ci -p bench`: [how](README.md).\n".to_owned();
    for (name, section) in sections {
        let _ = write!(text, "\n## {name}\n\n{section}\n");
    }
    text
}
