//! Builds the functions and their peers.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use tokio::process::Command;

use crate::Failure;

/// Returns the root folder of the repository.
pub(crate) fn workspace() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().nth(2).unwrap_or(package).to_owned()
}

/// Builds a function with the profile `release`, as `sam build` does. Returns the binary.
pub(crate) async fn function(name: &str) -> Result<PathBuf, Failure> {
    let folder = workspace();
    cargo(&folder, "release", &["--bin", name], &folder.join("target")).await?;
    Ok(folder.join("target/release").join(name))
}

/// Builds a function with the profile `ci`, which is faster to build. For measurements that hardly depend on the function's speed.
pub(crate) async fn ci_function(name: &str) -> Result<PathBuf, Failure> {
    let folder = workspace();
    cargo(&folder, "ci", &["--bin", name], &folder.join("target")).await?;
    Ok(folder.join("target/ci").join(name))
}

/// Builds a peer with a Cargo profile. Each is built separately, so that the features of one do not affect another. Returns the binary.
pub(crate) async fn peer(name: &str, profile: &str) -> Result<PathBuf, Failure> {
    let folder = workspace();
    let target = folder.join("target/peers");
    let peers = folder.join("infra/bench/peers");
    cargo(&peers, profile, &["--package", name], &target).await?;
    Ok(target.join(profile).join(name))
}

/// Builds the selected package or binary of the workspace in `folder`, into the folder `target`.
async fn cargo(
    folder: &Path,
    profile: &str,
    selection: &[&str],
    target: &Path,
) -> Result<(), Failure> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--profile", profile])
        .args(selection)
        .arg("--target-dir")
        .arg(target)
        .current_dir(folder)
        .status()
        .await?;
    if !status.success() {
        return Err(format!("cargo could not build {}", selection.join(" ")).into());
    }
    Ok(())
}

/// Installs the packages of `infra/bench/peers/requirements.txt` in a virtual environment. Returns its Python.
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
