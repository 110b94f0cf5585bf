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

#[test]
fn a_page_needs_the_chunks_that_have_its_name() {
    let files = ["trace.wasm", "overview-trace.wasm", "logs.wasm", "orrery.wasm", "orrery.js"]
        .map(|name| File::hashed(name, name.as_bytes().to_vec()));
    let [trace, shared, logs, ..] = &files;
    let names = |page| pages(&files)[page].iter().map(|file| &file.path).collect::<Vec<_>>();
    assert_eq!(names("trace"), [&trace.path, &shared.path]);
    assert_eq!(names("overview"), [&shared.path]);
    assert_eq!(names("logs"), [&logs.path]);
    assert_eq!(pages(&files).len(), 3, "the program belongs to every page");
}

/// Builds the real dashboard: minutes on a cold cache, so it runs where the server has been built before.
#[test]
fn the_dashboard_fits_its_budget_and_is_whole() {
    let files = build(&Config::below(&std::env::current_exe().unwrap())).unwrap();
    let file = |name: &str| files.iter().find(|file| file.is(name)).unwrap();
    let text = |file: &File| String::from_utf8(file.bytes.clone()).unwrap();
    let page = text(files.iter().find(|file| file.path == "/index.html").unwrap());
    let (program, script, loader) = (file("orrery.wasm"), text(file("orrery.js")), text(file("chunks.js")));
    for preloaded in [program, file("orrery.js"), file("chunks.js")] {
        assert!(page.contains(&preloaded.path), "the page preloads {}", preloaded.path);
    }
    assert!(script.contains(&file("chunks.js").path) && loader.contains(&file("orrery.js").path));
    let pages = pages(&files);
    assert!(pages.contains_key("overview") && pages.contains_key("trace"), "{:?}", pages.keys());
    for (name, chunks) in pages {
        assert!(loader.contains(&format!("__wasm_split_load_{name} ")), "{name} cannot be loaded");
        for chunk in &chunks {
            assert!(page.contains(&chunk.path) && loader.contains(&chunk.path), "{} is not named", chunk.path);
            assert!(chunk.immutable && chunk.brotli.is_some() && chunk.gzip.is_some(), "{}", chunk.path);
        }
        let size = program.size() + chunks.iter().map(|chunk| chunk.size()).sum::<usize>();
        println!("{name}: {size} B brotli");
        assert!(
            size <= WASM_BUDGET_BYTES,
            "{size} B of brotli for {name} are over the budget of {WASM_BUDGET_BYTES} B"
        );
    }
}

/// The waterfall is the page of a trace and nothing else.
#[test]
fn the_program_lacks_what_only_a_page_needs() {
    let config = Config::below(&std::env::current_exe().unwrap());
    let dir = std::env::temp_dir().join(format!("orrery-cut-{}", std::process::id()));
    let cut = split::Cut::of(&compile::compile(&config).unwrap(), &dir).unwrap();
    let has_waterfall = |path: &Path| {
        let wasm = std::fs::read(path).unwrap();
        split::function_names(&wasm).unwrap().iter().any(|(_, name)| name.contains("waterfall"))
    };
    assert!(!has_waterfall(&cut.program));
    let with: Vec<&str> =
        cut.chunks.iter().filter(|(_, path)| has_waterfall(path)).map(|(name, _)| name.as_str()).collect();
    assert_eq!(with, ["trace"]);
    std::fs::remove_dir_all(dir).unwrap();
}
