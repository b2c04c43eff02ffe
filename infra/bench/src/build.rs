//! Builds what is measured: the functions as they are deployed, and their peers.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use tokio::process::Command;

use crate::Failure;

/// The repository.
pub(crate) fn workspace() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().nth(2).unwrap_or(package).to_owned()
}

/// A function's release build, as `sam build` makes it.
pub(crate) async fn function(name: &str) -> Result<PathBuf, Failure> {
    let folder = workspace();
    cargo(&folder, "release", &["--bin", name], &folder.join("target")).await?;
    Ok(folder.join("target/release").join(name))
}

/// A function's build that is quick to make, for measurements that do not depend on its speed.
pub(crate) async fn quickly(name: &str) -> Result<PathBuf, Failure> {
    let folder = workspace();
    cargo(&folder, "ci", &["--bin", name], &folder.join("target")).await?;
    Ok(folder.join("target/ci").join(name))
}

/// A peer's, of a profile. Each is built by itself, so that none gets features that another asks for.
pub(crate) async fn peer(name: &str, profile: &str) -> Result<PathBuf, Failure> {
    let folder = workspace();
    let target = folder.join("target/peers");
    let peers = folder.join("infra/bench/peers");
    cargo(&peers, profile, &["--package", name], &target).await?;
    Ok(target.join(profile).join(name))
}

async fn cargo(folder: &Path, profile: &str, what: &[&str], target: &Path) -> Result<(), Failure> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--profile", profile])
        .args(what)
        .arg("--target-dir")
        .arg(target)
        .current_dir(folder)
        .status()
        .await?;
    if !status.success() {
        return Err(format!("{} does not build", what.join(" ")).into());
    }
    Ok(())
}

/// A Python with what `infra/bench/peers/requirements.txt` names.
pub(crate) async fn python() -> Result<PathBuf, Failure> {
    let folder = workspace();
    let environment = folder.join("target/bench-python");
    let python = environment.join("bin/python");
    if !python.exists() {
        run(Command::new("python3")
            .args(["-m", "venv"])
            .arg(&environment))
        .await?;
    }
    run(Command::new(&python)
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "-r",
        ])
        .arg(folder.join("infra/bench/peers/requirements.txt")))
    .await?;
    Ok(python)
}

async fn run(command: &mut Command) -> Result<(), Failure> {
    let status = command.stdout(Stdio::inherit()).status().await?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{:?} failed", command.as_std()).into())
    }
}
