use std::collections::BTreeMap;

use super::*;

/// Returns all files below a folder, by relative path.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let (mut found, mut left) = (BTreeMap::new(), vec![folder.to_owned()]);
    while let Some(next) = left.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                left.push(entry.path());
            } else {
                let path = entry.path();
                let name = path.strip_prefix(folder).unwrap().to_owned();
                found.insert(name, fs::read(path).unwrap());
            }
        }
    }
    found
}

#[test]
fn the_samples_in_the_repository_are_what_the_generator_writes() {
    let written = tempfile::tempdir().unwrap();
    generate(200, 1, written.path()).unwrap();
    let names = |files: &BTreeMap<PathBuf, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    for folder in ["drop", "images"] {
        let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let (written, kept) = (contents(&written.path().join(folder)), contents(&kept));
        assert_eq!(names(&written), names(&kept));
        for (name, bytes) in &written {
            assert!(
                kept[name] == *bytes,
                "{} differs: cargo run -p local -- generate --customers 200 --out infra/samples",
                name.display()
            );
        }
    }
}

#[test]
fn a_customer_is_the_same_among_few_and_among_many() {
    let (few, many) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let summary = generate(3, 7, few.path()).unwrap();
    assert!(generate(30, 7, many.path()).unwrap().rows > summary.rows);
    let (few, many) = (contents(few.path()), contents(many.path()));
    for (name, bytes) in few {
        assert!(many[&name].starts_with(&bytes), "{}", name.display());
    }
}

#[test]
fn another_seed_makes_other_files() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    generate(1, 1, one.path()).unwrap();
    generate(1, 2, two.path()).unwrap();
    let record = Path::new("drop/customer_record/crm/customer_record.ndjson");
    assert_ne!(contents(one.path())[record], contents(two.path())[record]);
}

#[test]
fn product_pictures_are_those_that_products_name() {
    let folder = tempfile::tempdir().unwrap();
    images::write(folder.path()).unwrap();
    for product in catalogue::products() {
        let row = product.row();
        let url = row["images"][0].as_str().unwrap();
        let name = url.rsplit('/').next().unwrap();
        let svg = fs::read_to_string(folder.path().join(name)).unwrap();
        assert!(svg.starts_with("<svg ") && !svg.contains(" & "), "{svg}");
    }
}
