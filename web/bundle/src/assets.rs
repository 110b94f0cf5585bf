//! Every file of the dashboard but its page.

use crate::bindgen::Program;
use crate::split::LOADER;
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// One file to serve.
#[derive(Clone, Debug)]
pub struct File {
    /// As a browser asks for it, such as `/assets/orrery-1f0c3a9be2d4.wasm`.
    pub path: String,
    /// `Content-Type`.
    pub content_type: &'static str,
    /// The name holds a hash of the content: may be cached forever.
    pub immutable: bool,
    /// The content.
    pub bytes: Vec<u8>,
    /// The same in brotli, where that is smaller.
    pub brotli: Option<Vec<u8>>,
    /// The same in gzip, where that is smaller.
    pub gzip: Option<Vec<u8>>,
}

impl File {
    /// A file under a fixed name.
    pub(crate) fn fixed(path: &str, bytes: Vec<u8>) -> File {
        File {
            path: path.to_owned(),
            content_type: content_type(path),
            immutable: false,
            bytes,
            brotli: None,
            gzip: None,
        }
    }

    /// A file under `/assets/`, its name hashed: `orrery.js` becomes `orrery-<12 hexadecimal digits>.js`.
    pub(crate) fn hashed(name: &str, bytes: Vec<u8>) -> File {
        let path = path(name, &hash(&bytes));
        File { immutable: true, ..File::fixed(&path, bytes) }
    }

    /// Of a chunk: its name, which is that of the page it belongs to, or several joined by hyphens.
    pub fn chunk(&self) -> Option<&str> {
        let name = self.path.strip_prefix("/assets/")?.strip_suffix(".wasm")?.rsplit_once('-')?.0;
        (name != "orrery").then_some(name)
    }

    /// Bytes over the wire.
    pub fn size(&self) -> usize {
        self.brotli.as_ref().map_or(self.bytes.len(), Vec::len)
    }

    /// Whether this is the hashed form of `name`.
    pub(crate) fn is(&self, name: &str) -> bool {
        let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
        self.path.strip_prefix("/assets/").is_some_and(|path| {
            path.strip_prefix(stem).is_some_and(|rest| rest.len() == 14 + extension.len() && rest.ends_with(extension))
        })
    }

    /// `ETag` with its quotes.
    pub fn etag(&self) -> String {
        format!("\"{}\"", hash(&self.bytes))
    }
}

/// First 12 hexadecimal digits of blake3.
pub(crate) fn hash(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex()[..12].to_owned()
}

/// The chunks that each page needs.
pub fn pages(files: &[File]) -> BTreeMap<&str, Vec<&File>> {
    let mut pages: BTreeMap<&str, Vec<&File>> = BTreeMap::new();
    for file in files {
        for page in file.chunk().into_iter().flat_map(|name| name.split('-')) {
            pages.entry(page).or_default().push(file);
        }
    }
    pages
}

/// The same as a script writes it.
pub(crate) fn pages_js(files: &[File]) -> String {
    let paths = |files: Vec<&File>| files.iter().map(|file| file.path.clone()).collect::<Vec<_>>();
    format!("{:?}", pages(files).into_iter().map(|(page, files)| (page, paths(files))).collect::<BTreeMap<_, _>>())
}

fn path(name: &str, hash: &str) -> String {
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, "bin"));
    format!("/assets/{stem}-{hash}.{extension}")
}

/// Code, styles, fonts, icons.
pub(crate) fn collect(ui: &Path, program: Program, chunks: BTreeMap<String, Vec<u8>>) -> Result<Vec<File>> {
    let mut files = vec![File::hashed("orrery.wasm", program.wasm)];
    files.extend(chunks.into_iter().map(|(name, chunk)| File::hashed(&format!("{name}.wasm"), chunk)));
    let loader = String::from_utf8(read(&ui.join("chunks.js"))?).context("chunks.js")?;
    files.extend(scripts(&program.js, &loader, &files));
    for font in listed(&ui.join("assets/fonts"), "woff2")? {
        files.push(File::hashed(&name(&font), read(&font)?));
    }
    files.push(File::hashed("favicon.svg", read(&ui.join("assets/favicon.svg"))?));
    let css = styles(&ui.join("styles"), |name| !crate::shell::CRITICAL.contains(&name))?;
    files.push(File::hashed("orrery.css", named(&css, &files).into_bytes()));
    Ok(files)
}

/// wasm-bindgen's script and the one that loads chunks. They name each other, so that both have the hash of both.
fn scripts(program: &str, loader: &str, files: &[File]) -> [File; 2] {
    let loaders = pages(files).into_keys();
    let loaders = loaders.map(|page| format!("export const __wasm_split_load_{page} = loader({page:?});\n"));
    let loader = loader.replace("{{pages}}", &pages_js(files)).replace("{{loaders}}", &loaders.collect::<String>());
    let both = hash(format!("{program}{loader}").as_bytes());
    let [program_path, loader_path] = ["orrery.js", "chunks.js"].map(|name| path(name, &both));
    let program = program.replace(&format!("from {LOADER:?}"), &format!("from {loader_path:?}"));
    let loader = loader.replace("{{orrery.js}}", &program_path);
    [(program_path, program), (loader_path, loader)]
        .map(|(path, script)| File { immutable: true, ..File::fixed(&path, script.into_bytes()) })
}

/// All style sheets of a folder that `wanted` names, in order of their names, one after the other.
pub(crate) fn styles(dir: &Path, wanted: impl Fn(&str) -> bool) -> Result<String> {
    let mut css = String::new();
    for path in listed(dir, "css")? {
        if wanted(&name(&path)) {
            css += &compact(&String::from_utf8(read(&path)?).with_context(|| path.display().to_string())?);
        }
    }
    Ok(css)
}

/// Replaces every `{{name}}` by the hashed path of that file.
pub(crate) fn named(text: &str, files: &[File]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((name, tail)) = after.split_once("}}") else { break };
        out += before;
        match files.iter().find(|file| file.is(name)) {
            Some(file) => out += &file.path,
            None => out += &format!("{{{{{name}}}}}"),
        }
        rest = tail;
    }
    out + rest
}

/// CSS without comments and indentation. Strings with `/*` in them are not ours.
fn compact(css: &str) -> String {
    let mut out = String::with_capacity(css.len());
    let mut rest = css;
    while let Some((before, after)) = rest.split_once("/*") {
        out += before;
        rest = after.split_once("*/").map_or("", |(_, tail)| tail);
    }
    out += rest;
    out.lines().map(str::trim).filter(|line| !line.is_empty()).fold(String::new(), |all, line| all + line + "\n")
}

fn listed(dir: &Path, extension: &str) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(dir).with_context(|| format!("cannot list {}", dir.display()))?;
    let mut paths: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == extension))
        .collect();
    paths.sort();
    Ok(paths)
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

fn name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
}
