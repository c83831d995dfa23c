//! Weights on the Hugging Face Hub, written `hf:OWNER/REPO` or `hf:OWNER/REPO/FILE`, for machines that
//! have a network. A file that was fetched once is found in the Hub's cache, without a network.
//!
//! Built with the cargo feature `hub` only.

use std::path::{Path, PathBuf};

use super::error::WeightsError;

/// What a path on the Hub begins with.
pub const SCHEME: &str = "hf:";

/// The file of a repository that does not name one.
const USUAL: &str = "model.safetensors";

/// A file of a repository.
#[derive(Debug, PartialEq, Eq)]
struct HubFile {
    /// `OWNER/REPO`.
    repository: String,
    file: String,
}

/// Where the file at `path` is on this machine: the path itself, or, of one on the Hub, the copy in the
/// cache, which is fetched if need be.
///
/// # Errors
/// If it is no path on the Hub after all, cannot be fetched, or the program cannot fetch.
pub fn locate(path: &Path) -> Result<PathBuf, WeightsError> {
    let Some(rest) = path.to_str().and_then(|text| text.strip_prefix(SCHEME)) else {
        return Ok(path.to_owned());
    };
    parse(rest)
        .and_then(|file| fetch(&file))
        .map_err(|reason| WeightsError::Unreadable { path: path.to_owned(), reason })
}

fn parse(rest: &str) -> Result<HubFile, String> {
    let parts: Vec<&str> = rest.split('/').collect();
    let is_plain = |part: &&str| {
        !part.is_empty() && !part.starts_with('.') && !part.contains(['\\', ':', '?', '#', '%'])
    };
    match parts[..] {
        [owner, name, ref file @ ..] if parts.iter().all(is_plain) => Ok(HubFile {
            repository: format!("{owner}/{name}"),
            file: if file.is_empty() { USUAL.to_owned() } else { file.join("/") },
        }),
        _ => Err("a file on the Hub is written hf:OWNER/REPO or hf:OWNER/REPO/FILE".to_owned()),
    }
}

#[cfg(not(feature = "hub"))]
fn fetch(file: &HubFile) -> Result<PathBuf, String> {
    Err(format!(
        "this program was built without the Hub; build it with `--features hub`, or download {} of {} \
         and name the file",
        file.file, file.repository
    ))
}

#[cfg(feature = "hub")]
fn fetch(file: &HubFile) -> Result<PathBuf, String> {
    let builder = hf_hub::api::sync::ApiBuilder::from_env();
    fetch_into(file, hf_hub::Cache::from_env(), builder)
}

#[cfg(feature = "hub")]
fn fetch_into(
    file: &HubFile,
    cache: hf_hub::Cache,
    builder: hf_hub::api::sync::ApiBuilder,
) -> Result<PathBuf, String> {
    if let Some(found) = cache.model(file.repository.clone()).get(&file.file) {
        return Ok(found);
    }
    let HubFile { repository, file } = file;
    builder
        .with_progress(false)
        .build()
        .and_then(|hub| hub.model(repository.clone()).get(file))
        .map_err(|error| {
            format!(
                "it is not in the cache ({}), and fetching failed: {error}",
                cache.path().display()
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_on_the_hub_names_a_repository_and_perhaps_a_file() {
        let file = |repository: &str, file: &str| {
            Ok(HubFile { repository: repository.to_owned(), file: file.to_owned() })
        };
        assert_eq!(parse("timm/resnet18.a1_in1k"), file("timm/resnet18.a1_in1k", USUAL));
        assert_eq!(parse("timm/vgg/a/b.pth"), file("timm/vgg", "a/b.pth"));
        for wrong in
            ["", "timm", "timm/", "/vgg", "timm/vgg/", "timm/vgg/../x", "timm/../vgg", "a/b:c"]
        {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn other_paths_are_left_as_they_are() {
        for path in ["model.pth", "/tmp/hf/model.pth", "hf/model.pth"] {
            assert_eq!(locate(Path::new(path)), Ok(PathBuf::from(path)));
        }
    }

    #[cfg(not(feature = "hub"))]
    #[test]
    fn a_program_without_the_hub_says_how_to_get_one() {
        let text = locate(Path::new("hf:timm/vgg")).unwrap_err().to_string();
        assert!(text.contains("hf:timm/vgg") && text.contains("--features hub"), "{text}");
    }

    #[cfg(feature = "hub")]
    #[test]
    fn a_file_in_the_cache_needs_no_network_and_another_says_why_it_cannot_be_had() {
        let folder = tempfile::tempdir().unwrap();
        let repository = folder.path().join("models--timm--vgg");
        let snapshot = repository.join("snapshots/0123abc");
        std::fs::create_dir_all(&snapshot).unwrap();
        std::fs::create_dir_all(repository.join("refs")).unwrap();
        std::fs::write(repository.join("refs/main"), "0123abc").unwrap();
        std::fs::write(snapshot.join(USUAL), "weights").unwrap();
        let fetch = |path: &str| {
            let cache = hf_hub::Cache::new(folder.path().to_owned());
            // Nobody listens there.
            let builder = hf_hub::api::sync::ApiBuilder::from_cache(cache.clone())
                .with_endpoint("http://127.0.0.1:9".to_owned());
            fetch_into(&parse(path).unwrap(), cache, builder)
        };
        assert_eq!(fetch("timm/vgg").unwrap(), snapshot.join(USUAL));
        for missing in ["timm/vgg/other.pth", "timm/resnet"] {
            let text = fetch(missing).unwrap_err();
            assert!(
                text.contains("not in the cache") && text.contains("fetching failed"),
                "{text}"
            );
        }
    }
}
