//! Cuts the compiled dashboard into the program, which every visit needs, and a chunk per page.
//!
//! Where to cut is said in `web/ui`: what only a function marked `#[wasm_split(name)]` reaches is the chunk `name`. The
//! linker's relocations (`--emit-relocs`) say who reaches what. This runs before wasm-bindgen, which sees only the
//! program.
//!
//! Left to itself, the tool makes a chunk for every set of pages that have something in common: a hundred files, half
//! as large again together. So it runs twice: what is shared and not [worth a file](WORTH_A_FILE) is exported for the
//! second run, and what is exported is the program's.

use crate::Config;
use crate::assets::read;
use anyhow::{Result, anyhow, bail, ensure};
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use walrus::{DataKind, Module, ModuleConfig};
use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasmparser::{KnownCustom, Name, Parser, Payload};

/// Name under which the program imports what loads chunks.
pub(crate) const LOADER: &str = "./chunks.js";
/// How the names of shared functions begin while they are exported.
const SHARED: &str = "shared:";

/// Bytes from which on what several pages share is a chunk, which they load besides their own: a file costs more than its
/// code does within the program.
const WORTH_A_FILE: usize = 64 << 10;
/// The same for what visits that begin on the [first page](FIRST) do not need: in the program it would be a burden to all.
const WORTH_A_FILE_ELSEWHERE: usize = 16 << 10;
/// The same for what none of the [heaviest pages](HEAVIEST) need: in the program it would weigh on them.
const WORTH_A_FILE_OF_LIGHT_PAGES: usize = 3 << 10;
/// The same for what a page has in common with nothing but parts of its own, `page_part`.
const WORTH_A_FILE_AT_HOME: usize = 4 << 10;
/// The page on which most visits begin.
const FIRST: &str = "overview";
/// The pages that are close to the [budget](crate::WASM_BUDGET_BYTES), their parts not among them.
const HEAVIEST: [&str; 3] = [FIRST, "alerts", "traces"];

/// A compiled dashboard, cut.
pub(crate) struct Split {
    /// For wasm-bindgen.
    pub(crate) program: Module,
    /// Chunks, ready to be served, by the page they belong to, or several joined by hyphens.
    pub(crate) chunks: BTreeMap<String, Vec<u8>>,
}

/// Cuts the wasm of a file.
pub(crate) fn split(wasm: &Path, config: &Config) -> Result<Split> {
    // Of this process alone: nothing keeps two builds from being here at once.
    let dir = config.target_dir.join(format!("wasm-ui/split-{}", std::process::id()));
    let split = Cut::of(wasm, &dir).and_then(Split::new);
    let _ = std::fs::remove_dir_all(dir);
    split
}

impl Split {
    fn new(cut: Cut) -> Result<Split> {
        let mut program = parse(&read(&cut.program)?)?;
        take_back_exports(&mut program);
        let mut chunks = BTreeMap::new();
        for (name, path) in cut.chunks {
            let mut chunk = compacted(&read(&path)?)?;
            // What is left of the small ones: constants.
            if chunk.funcs.iter().next().is_none() {
                add_data(&mut program, &chunk)?;
            } else {
                chunks.insert(name, chunk.emit_wasm());
            }
        }
        Ok(Split { program, chunks })
    }
}

/// What the tool made: files with names in them and the room of relocations.
pub(crate) struct Cut {
    pub(crate) program: PathBuf,
    pub(crate) chunks: BTreeMap<String, PathBuf>,
}

impl Cut {
    /// Cuts the wasm of a file into files of a folder.
    pub(crate) fn of(wasm: &Path, dir: &Path) -> Result<Cut> {
        let wasm = read(wasm)?;
        let shared = Cut::new(&wasm, dir)?.small_shared_functions()?;
        Cut::new(&with_exports(&wasm, &shared)?, dir)
    }

    fn new(wasm: &[u8], dir: &Path) -> Result<Cut> {
        let _ = std::fs::remove_dir_all(dir);
        let program = dir.join("program.wasm");
        let mut options = wasm_split_cli_support::Options::new(wasm);
        (options.output_dir, options.main_out_path, options.link_name) = (dir, &program, LOADER);
        let made = wasm_split_cli_support::transform(options).map_err(|error| anyhow!("{error:#}"))?;
        let mut pages: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for (page, files) in &made.prefetch_map {
            ensure!(!files.is_empty(), "the page {page} has no code of its own");
            files.iter().for_each(|file| pages.entry(format!("{file}.wasm")).or_default().push(page));
        }
        let mut chunks = BTreeMap::new();
        for (file, mut pages) in pages {
            pages.sort_unstable();
            chunks.insert(pages.join("-"), dir.join(file));
        }
        Ok(Cut { program, chunks })
    }

    /// Names of the functions that several pages need and the program does not.
    fn small_shared_functions(&self) -> Result<HashSet<String>> {
        let mut names = HashSet::new();
        for (pages, path) in self.chunks.iter().filter(|(name, _)| name.contains('-')) {
            let chunk = read(path)?;
            let worth = worth_a_file(pages);
            if compacted(&chunk)?.emit_wasm().len() < worth {
                names.extend(function_names(&chunk)?.into_iter().map(|(_, name)| name.to_owned()));
            }
        }
        Ok(names)
    }
}

/// From which size on what these pages share is a file of its own.
fn worth_a_file(pages: &str) -> usize {
    let homes: HashSet<&str> = pages.split('-').filter_map(|page| page.split('_').next()).collect();
    if homes.len() == 1 {
        WORTH_A_FILE_AT_HOME
    } else if homes.contains(FIRST) {
        WORTH_A_FILE
    } else if !pages.split('-').any(|page| HEAVIEST.contains(&page)) {
        WORTH_A_FILE_OF_LIGHT_PAGES
    } else {
        WORTH_A_FILE_ELSEWHERE
    }
}

/// Functions by index and mangled name.
pub(crate) fn function_names(wasm: &[u8]) -> Result<Vec<(u32, &str)>> {
    let mut names = Vec::new();
    for payload in Parser::new(0).parse_all(wasm) {
        let Payload::CustomSection(section) = payload? else { continue };
        let KnownCustom::Name(subsections) = section.as_known() else { continue };
        for subsection in subsections {
            if let Name::Function(map) = subsection? {
                for naming in map {
                    let naming = naming?;
                    names.push((naming.index, naming.name));
                }
            }
        }
    }
    Ok(names)
}

/// The same module, which also exports these functions. All that relocations point into stays byte for byte.
fn with_exports(wasm: &[u8], functions: &HashSet<String>) -> Result<Vec<u8>> {
    let mut module = wasm_encoder::Module::new();
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload?;
        let Some((id, range)) = payload.as_section() else { continue };
        if let Payload::ExportSection(exports) = payload {
            let mut section = wasm_encoder::ExportSection::new();
            RoundtripReencoder.parse_export_section(&mut section, exports)?;
            for (index, _) in function_names(wasm)?.iter().filter(|(_, name)| functions.contains(*name)) {
                section.export(&format!("{SHARED}{index}"), wasm_encoder::ExportKind::Func, *index);
            }
            module.section(&section);
        } else {
            module.section(&wasm_encoder::RawSection { id, data: &wasm[range.start as usize..range.end as usize] });
        }
    }
    Ok(module.finish())
}

fn take_back_exports(program: &mut Module) {
    let ours: Vec<_> =
        program.exports.iter().filter(|export| export.name.starts_with(SHARED)).map(walrus::Export::id).collect();
    ours.into_iter().for_each(|export| program.exports.delete(export));
}

/// Puts the constants of a chunk into the program.
fn add_data(program: &mut Module, shared: &Module) -> Result<()> {
    let memory = program.get_memory_id()?;
    for data in shared.data.iter().filter(|data| !data.value.is_empty()) {
        let DataKind::Active { offset, .. } = &data.kind else { bail!("data without a place in memory") };
        let id = program.data.add(DataKind::Active { memory, offset: offset.clone() }, data.value.clone());
        program.memories.get_mut(memory).data_segments.insert(id);
    }
    Ok(())
}

/// For a module without names and the like.
fn parse(wasm: &[u8]) -> Result<Module> {
    ModuleConfig::new().generate_name_section(false).generate_producers_section(false).parse(wasm)
}

/// Without types and bridges that nobody uses and, once emitted, the room that relocations left in every number.
fn compacted(chunk: &[u8]) -> Result<Module> {
    let mut module = parse(chunk)?;
    walrus::passes::gc::run(&mut module);
    Ok(module)
}
