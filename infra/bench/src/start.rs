//! Measures cold starts: the time to the first `/next`, the sizes of binaries, and the instructions to the first profile.

use std::{collections::BTreeMap, io::Write as _, path::Path};

use crate::{
    Failure, build,
    function::{Function, Program},
    read,
    report::{MEGABYTE, Report, median, millions, rounded},
    services::Services,
};

/// The number of starts of each program. It is a multiple of twice the number of programs, so that each program follows each
/// other one equally often.
const ROUNDS: usize = 98;
/// The HTTP functions.
const FUNCTIONS: [&str; 5] = [
    "profile-read",
    "history",
    "note-write",
    "profile-write",
    "imports",
];

/// Measures starts and returns the report.
pub(crate) async fn measure() -> Result<Report, Failure> {
    let services = Services::start().await?;
    let mut report = Report::default();
    let no_op = build::peer("no-op", "release").await?;
    let default = build::peer("default-sdk", "release").await?;
    let mut programs: BTreeMap<&str, Program> = BTreeMap::new();
    for name in FUNCTIONS.into_iter().chain(["ingest"]) {
        let binary = build::function(name).await?;
        programs.insert(name, services.program_over_tls(&binary));
    }
    programs.insert("no-op", services.program_over_tls(&no_op));
    programs.insert("default SDK", services.program_over_tls(&default));
    report_times(&mut programs, &services, &mut report).await?;
    report_sizes(&programs, &mut report)?;
    report_instructions(&programs, &services, &mut report).await?;
    report.note(format!(
        "Times are medians of {ROUNDS} starts of each program, which alternate. `/next` is the request for the first event. Callgrind counts the \
         instructions. \"no-op\" is `lambda_http` alone. \"default SDK\" is profile-read with the SDK's default features and \
         `aws_config::load_defaults`. It reads all certificates that the machine trusts, as on Lambda."
    ));
    Ok(report)
}

/// Measures the time from process start to the first `/next`.
async fn report_times(
    programs: &mut BTreeMap<&str, Program>,
    services: &Services,
    report: &mut Report,
) -> Result<(), Failure> {
    // All binaries are copied now. Otherwise their age affects how the page cache stores them, and so the time of a start.
    for (name, program) in programs.iter_mut() {
        let copy = services.folder.path().join(name);
        tokio::fs::copy(&program.binary, &copy).await?;
        program.binary = copy;
    }

    // The programs alternate, so that other load on the machine and the previous program affect all of them equally.
    let mut times: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    let all: Vec<_> = programs.iter().collect();
    for round in 0..ROUNDS {
        for turn in turns(all.len(), round) {
            let (name, program) = all[turn];
            let mut function = Function::start(program, None).await?;
            let time = function.wait_ready().await?;
            // Awaited, because freeing the memory of this process would delay the next start.
            function.terminate().await?;
            times
                .entry(name)
                .or_default()
                .push(time.as_secs_f64() * 1e3);
        }
    }
    let times: BTreeMap<_, _> = times
        .into_iter()
        .map(|(name, times)| (name, median(times)))
        .collect();
    let lower_bound = times["no-op"];
    report.add(
        "process start to the first `/next`: no-op",
        format!("{lower_bound:.2} ms"),
    );
    for name in FUNCTIONS {
        let (time, ratio) = (times[name], times[name] / lower_bound);
        report.at_most(
            format!("process start to the first `/next`: {name}"),
            format!("{time:.2} ms, {ratio:.2}× the no-op"),
            ratio,
            1.5,
        );
    }
    for name in ["ingest", "default SDK"] {
        let (time, ratio) = (times[name], times[name] / lower_bound);
        report.add(
            format!("process start to the first `/next`: {name}"),
            format!("{time:.2} ms, {ratio:.2}× the no-op"),
        );
    }

    Ok(())
}

/// Reports the sizes of the binaries and of their deployment packages.
fn report_sizes(programs: &BTreeMap<&str, Program>, report: &mut Report) -> Result<(), Failure> {
    for name in FUNCTIONS.into_iter().chain(["ingest", "default SDK"]) {
        let binary = &programs[name].binary;
        let size = std::fs::metadata(binary)?.len() as f64 / MEGABYTE;
        let zipped = zipped(binary)? as f64 / MEGABYTE;
        if FUNCTIONS.contains(&name) {
            let figure = format!("{size:.2} MB");
            report.at_most(
                format!("size of the stripped binary: {name}"),
                figure,
                size,
                5.0,
            );
            let figure = format!("{zipped:.2} MB");
            report.at_most(format!("size of the zip: {name}"), figure, zipped, 2.2);
        } else {
            report.add(
                format!("sizes of the stripped binary and of the zip: {name}"),
                format!("{size:.2} MB, {zipped:.2} MB"),
            );
        }
    }
    Ok(())
}

/// Counts the instructions until the first `/next` and until the first profile.
async fn report_instructions(
    programs: &BTreeMap<&str, Program>,
    services: &Services,
    report: &mut Report,
) -> Result<(), Failure> {
    let ingest = services.program(&programs["ingest"].binary);
    let many = read::import_customer(services, &ingest).await?;
    let new = read::import_new_customer(services, &ingest).await?;
    let start = to_idle(services, &programs["profile-read"]).await?;
    let start_of_no_op = to_idle(services, &programs["no-op"]).await?;
    report.add(
        "instructions from process start until idle, before the first request: profile-read; no-op",
        format!("{}; {}", millions(start), millions(start_of_no_op)),
    );
    for (events, id, target) in [
        ("one event", new, Some(1.0 / 50.0)),
        ("300 events", many, None),
    ] {
        let own = read::instructions(services, &programs["profile-read"], &id, 1).await?;
        let peer = read::instructions(services, &programs["default SDK"], &id, 1).await?;
        let name = format!(
            "instructions from process start to the first profile ({events}, over TLS), compared with the default SDK"
        );
        let figure = format!(
            "{} against {}: 1/{}",
            millions(own),
            millions(peer),
            rounded(peer as f64 / own as f64)
        );
        match target {
            Some(most) => report.at_most(name, figure, own as f64 / peer as f64, most),
            // Without a target, because most instructions are those of the query: see the subject Read.
            None => report.add(name, figure),
        }
    }
    Ok(())
}

/// Returns the order of a round: a row of a balanced Latin square. Over `count` rounds, each program follows each other one equally
/// often. If `count` is odd, that takes twice as many rounds, and every second one uses the mirror image. Williams, Experimental
/// designs balanced for the estimation of residual effects of treatments, 1949.
fn turns(count: usize, round: usize) -> impl Iterator<Item = usize> {
    let (is_mirrored, round) = match count % 2 {
        0 => (false, round),
        _ => (round % 2 == 1, round / 2),
    };
    let places = (0..count).map(move |turn| if is_mirrored { count - 1 - turn } else { turn });
    let zigzag = places.map(move |turn| match turn % 2 {
        0 => (count - turn / 2) % count,
        _ => turn.div_ceil(2),
    });
    zigzag.map(move |place| (place + round) % count)
}

/// Returns the instructions from process start until the process is idle.
async fn to_idle(services: &Services, program: &Program) -> Result<u64, Failure> {
    let mut function =
        Function::start(program, Some(&services.folder.path().join("counts"))).await?;
    function.wait_ready().await?;
    function.wait_idle().await?;
    function.terminate().await
}

/// Returns the size of a deployment package with this binary, in bytes.
fn zipped(binary: &Path) -> Result<u64, Failure> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&std::fs::read(binary)?)?;
    Ok(encoder.finish()?.len() as u64)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn balances_the_order() {
        for (count, rounds, times) in [(6, 6, 1), (7, 14, 2)] {
            let mut pairs = BTreeMap::new();
            for round in 0..rounds {
                let order: Vec<_> = turns(count, round).collect();
                assert_eq!(order.iter().collect::<BTreeSet<_>>().len(), count);
                for pair in order.windows(2) {
                    *pairs.entry((pair[0], pair[1])).or_insert(0) += 1;
                }
            }
            assert_eq!(pairs.len(), count * (count - 1));
            assert!(pairs.values().all(|seen| *seen == times), "{pairs:?}");
        }
    }
}
