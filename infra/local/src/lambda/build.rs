//! Builds the functions' binaries with Cargo. Uses the target folder and profile of the current process, so that nothing is
//! compiled twice.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;
use tokio::sync::OnceCell;

use crate::workspace;

/// Builds the binaries and returns their paths by name. They are built once per process. `shown` sends Cargo's progress to
/// standard error. The error is Cargo's output.
pub(crate) async fn binaries(
    names: &[String],
    shown: bool,
) -> Result<BTreeMap<String, PathBuf>, String> {
    static BUILT: OnceCell<Result<(), String>> = OnceCell::const_new();
    let output = Output::of_this_process();
    BUILT
        .get_or_init(|| run_cargo(names, &output, shown))
        .await
        .clone()?;
    let path = |name: &String| {
        output
            .folder
            .join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
    };
    Ok(names
        .iter()
        .map(|name| (name.clone(), path(name)))
        .collect())
}

/// The location of Cargo's output.
#[derive(Debug, PartialEq, Eq)]
struct Output {
    /// The target folder.
    target: PathBuf,
    profile: String,
    /// The folder of the binaries.
    folder: PathBuf,
}

impl Output {
    fn of_this_process() -> Self {
        let executable = std::env::current_exe().unwrap_or_default();
        Self::of(&executable).unwrap_or_else(|| {
            let target = workspace::root().join("target");
            Self {
                folder: target.join("debug"),
                target,
                profile: "dev".to_owned(),
            }
        })
    }

    /// Derives the location from `target/{profile}/local` or `target/{profile}/deps/{test}`.
    fn of(executable: &Path) -> Option<Self> {
        let mut folder = executable.parent()?;
        if folder.file_name()? == "deps" {
            folder = folder.parent()?;
        }
        let target = folder.parent()?;
        let is_target =
            target.join("CACHEDIR.TAG").exists() || target.join(".rustc_info.json").exists();
        let profile = folder.file_name()?.to_str()?;
        let profile = if profile == "debug" { "dev" } else { profile };
        is_target.then(|| Self {
            target: target.to_owned(),
            profile: profile.to_owned(),
            folder: folder.to_owned(),
        })
    }
}

/// Runs `cargo build` for the binaries. Without Cargo, existing binaries are enough.
async fn run_cargo(names: &[String], output: &Output, shown: bool) -> Result<(), String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .arg("build")
        .current_dir(workspace::root())
        .arg("--target-dir")
        .arg(&output.target);
    command.arg("--profile").arg(&output.profile);
    // Including this package makes Cargo unify the features of dependencies as it did for `cargo run -p local`.
    for name in ["local"]
        .into_iter()
        .chain(names.iter().map(String::as_str))
    {
        command.arg("-p").arg(name);
    }
    if !shown {
        command.arg("--quiet");
    }
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_set_by_cargo(name)) {
        command.env_remove(name);
    }
    let stderr = if shown {
        Stdio::inherit()
    } else {
        Stdio::piped()
    };
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(stderr)
        .kill_on_drop(true)
        .spawn();
    let built = match child {
        Ok(child) => child.wait_with_output().await,
        Err(error) if error.kind() == io::ErrorKind::NotFound && all_exist(names, output) => {
            return Ok(());
        }
        Err(error) => Err(error),
    };
    match built {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        Err(error) => Err(format!(
            "cannot run cargo: {error}. Install Rust from https://rustup.rs"
        )),
    }
}

/// Returns whether `cargo run` or `cargo test` set a variable for this process only. Some build scripts depend on these
/// variables. If they were passed on, those scripts and all their dependents would be built again.
fn is_set_by_cargo(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    let starts = [
        "CARGO_PKG_",
        "CARGO_MANIFEST_",
        "CARGO_BIN_",
        "CARGO_CRATE_",
        "CARGO_PRIMARY_",
        "CARGO_TARGET_TMPDIR",
    ];
    starts.iter().any(|start| name.starts_with(start)) || name == "OUT_DIR"
}

/// Returns whether all binaries exist.
fn all_exist(names: &[String], output: &Output) -> bool {
    names.iter().all(|name| {
        output
            .folder
            .join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
            .exists()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn target_and_profile_are_read_off_the_executable() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("CACHEDIR.TAG"), "").unwrap();
        let of = |path: &str| {
            Output::of(&folder.path().join(path)).map(|output| (output.profile, output.folder))
        };
        assert_eq!(
            of("debug/local"),
            Some(("dev".into(), folder.path().join("debug")))
        );
        assert_eq!(
            of("debug/deps/tests-0123"),
            Some(("dev".into(), folder.path().join("debug")))
        );
        assert_eq!(
            of("release/local"),
            Some(("release".into(), folder.path().join("release")))
        );
        assert_eq!(of("elsewhere/debug/local"), None);
        assert!(workspace::root().join("Cargo.toml").exists());
    }
}
