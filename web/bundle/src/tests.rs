use super::*;
use crate::assets::{hash, named};

#[test]
fn names_carry_the_hash_of_the_content() {
    let file = File::hashed("orrery.js", b"let x".to_vec());
    assert_eq!(file.path, format!("/assets/orrery-{}.js", hash(b"let x")));
    assert!(file.is("orrery.js") && !file.is("orrery.css") && !file.is("orr.js"));
    assert_eq!(
        named("<script src={{orrery.js}}> {{other.js}}", std::slice::from_ref(&file)),
        format!("<script src={}> {{{{other.js}}}}", file.path)
    );
}

#[test]
fn the_manifest_names_every_form_of_a_file() {
    let dir = std::env::temp_dir().join(format!("orrery-bundle-{}", std::process::id()));
    let mut files = vec![
        File::fixed("/index.html", "<p>word</p>".repeat(200).into_bytes()),
        File::hashed("tiny.js", b"1".to_vec()),
    ];
    compress::all(&mut files);
    manifest::write(&files, &dir).unwrap();
    let source = std::fs::read_to_string(dir.join("manifest.rs")).unwrap();
    assert!(
        source.contains(r#"path: "/index.html""#)
            && source.contains("index.html.br")
            && source.contains("index.html.gz"),
        "{source}"
    );
    assert!(source.contains("immutable: true") && source.contains("brotli: None, gzip: None"), "{source}");
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn the_target_directory_is_found_with_and_without_cargos_mark() {
    let dir = std::env::temp_dir().join(format!("orrery-target-{}", std::process::id()));
    for below in ["release/build/orrery-1/out", "release/deps/orrery_bundle-1", "wasm32/wasm/deps/x"] {
        let below = dir.join(below);
        std::fs::create_dir_all(&below).unwrap();
        let unmarked = if below.ends_with("x") { dir.join("wasm32") } else { dir.clone() };
        assert_eq!(target_dir(&below), unmarked);
        std::fs::write(dir.join("CACHEDIR.TAG"), "").unwrap();
        assert_eq!(target_dir(&below), dir);
        std::fs::remove_file(dir.join("CACHEDIR.TAG")).unwrap();
    }
    std::fs::remove_dir_all(dir).unwrap();
}

/// Builds the real dashboard: minutes on a cold cache, so it runs where the server has been built before.
#[test]
fn the_dashboard_fits_its_budget() {
    let exe = std::env::current_exe().unwrap();
    let files = build(&Config::below(&exe)).unwrap();
    let wasm = files.iter().find(|file| file.path.ends_with(".wasm")).unwrap();
    let size = wasm.brotli.as_ref().unwrap().len();
    println!("wasm: {} B raw, {} B gzip, {size} B brotli", wasm.bytes.len(), wasm.gzip.as_ref().unwrap().len());
    assert!(size <= WASM_BUDGET_BYTES, "{size} B of brotli are over the budget of {WASM_BUDGET_BYTES} B");
    let page = String::from_utf8(files.iter().find(|file| file.path == "/index.html").unwrap().bytes.clone()).unwrap();
    assert!(page.contains(&wasm.path), "the page preloads the wasm");
}
