//! Measures the functions and compares them with alternatives, in one run. See README.md.

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

/// The error of a measurement.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Measure the functions, print the results and write them to infra/bench/results.md
#[derive(Debug, Parser)]
#[command(name = "bench")]
struct Arguments {
    /// Subjects to measure (default: all)
    #[arg(value_enum)]
    subjects: Vec<Subject>,
    /// Compare the instruction counts of the functions in this folder with the recorded ones; measure nothing else
    #[arg(long, value_name = "DIR")]
    check: Option<PathBuf>,
    /// With --check: record the instruction counts instead of comparing them
    #[arg(long, requires = "check")]
    record: bool,
}

/// A subject: its measurements are one section of the results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Subject {
    /// Cold starts: time and instructions, sizes of the binaries
    Start,
    /// Reads of profiles and history: instructions, requests, read units
    Read,
    /// Reads of customers with many events: read units, CPU, memory, time
    Large,
    /// Each request and each row of the sample data: capacity units, CPU, time, storage
    Requests,
    /// Imports: CPU, requests, write units, rate
    Ingest,
    /// Imports with a hot key: time, throttled statements
    Hot,
    /// Imports of other systems' exports with mappings: CPU of a record
    Mapped,
    /// Imports of 10 MB and 2 GB, plain and compressed: time, memory
    Memory,
    /// An import of 2 GB in 1 byte range and in 32: time, requests
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

    /// Returns the heading of the subject's section.
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

    /// Measures the subject and returns the report.
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
        // Written after each subject, so that its figures are kept if the next one fails.
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        std::fs::write(
            &path,
            with_section(&text, subject.name(), &report.markdown()),
        )?;
    }
    println!("results written to {}", path.display());
    Ok(())
}

/// Replaces or adds the section of one subject in the text of the results.
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
    let mut text = "# Results of the bench\n\nWritten by `cargo run --profile ci -p bench`. [README.md](README.md) describes the method.\n".to_owned();
    for (name, section) in sections {
        let _ = write!(text, "\n## {name}\n\n{section}\n");
    }
    text
}
