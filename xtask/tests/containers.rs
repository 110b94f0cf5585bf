//! The container files, held to what they name: no container engine runs here, but every stage, binary, flag, variable,
//! host and port they mention must exist.

#![allow(clippy::unwrap_used)] // clippy.toml allows it in tests; helpers of integration tests count as none

use serde_yaml_ng::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;

const OURS: [&str; 3] = ["orrery", "orrery-agent", "orrery-demo"];

/// Cargo runs tests in their package's folder.
fn root() -> PathBuf {
    std::env::current_dir().unwrap().parent().unwrap().to_path_buf()
}

fn read(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap()
}

/// `binary args --help`, as a user sees it. Needs `cargo xtask test`, which builds the binaries first.
fn help(binary: &str, args: &[&str]) -> String {
    let test = std::env::current_exe().unwrap();
    let path: PathBuf = test.ancestors().nth(2).unwrap().join(binary);
    let output = Command::new(&path).args(args).arg("--help").output();
    let output = output.unwrap_or_else(|error| panic!("{}: {error}; `cargo xtask test` builds it", path.display()));
    assert!(output.status.success(), "{binary} {args:?} --help: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Help of every command a container of this binary runs.
fn all_help(binary: &str) -> String {
    let commands: &[&[&str]] = match binary {
        "orrery" => &[&[], &["serve"], &["ready"]],
        "orrery-demo" => &[&[], &["service"], &["control"], &["check"]],
        _ => &[&[]],
    };
    commands.iter().map(|args| help(binary, args)).collect()
}

/// The stages of the Dockerfile by name, each with its instructions and those of the stages it builds on.
fn stages() -> BTreeMap<String, Vec<String>> {
    let text = read("Dockerfile").replace("\\\n", " ");
    let mut stages = BTreeMap::<String, Vec<String>>::new();
    let mut current = String::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let words: Vec<&str> = line.split_whitespace().collect();
        if words[0] == "FROM" {
            current = words[3].to_owned();
            let inherited = stages.get(words[1]).cloned().unwrap_or_default();
            stages.insert(current.clone(), inherited);
        } else {
            stages.get_mut(&current).unwrap().push(line.to_owned());
        }
    }
    stages
}

fn binary_of(stage: &[String]) -> String {
    let entry = stage.iter().rev().find_map(|line| line.strip_prefix("ENTRYPOINT ")).expect("a stage that runs");
    let words: Vec<String> = serde_yaml_ng::from_str(entry).unwrap();
    words[0].clone()
}

#[test]
fn the_dockerfile_names_what_exists() {
    let stages = stages();
    let build = stages["build"].join("\n");
    for binary in OURS {
        assert!(build.contains(&format!("-p {binary} ")), "{binary} is not built");
        assert!(build.contains(&format!("/target/dist/{binary}")), "{binary} is not kept");
    }
    for name in ["orrery", "agent", "demo"] {
        let stage = &stages[name];
        let binary = binary_of(stage);
        assert!(OURS.contains(&binary.as_str()), "{binary}");
        assert!(stage.iter().any(|line| line.contains(&format!("/out/{binary} /usr/local/bin/{binary}"))), "{name}");
        assert!(stage.iter().any(|line| line == "USER 10001"), "{name} runs as root");
        let help = all_help(&binary);
        for variable in stage.iter().filter_map(|line| line.strip_prefix("ENV ")).flat_map(str::split_whitespace) {
            let (variable, _) = variable.split_once('=').unwrap();
            assert!(help.contains(&format!("{variable}=")), "{variable} is no variable of {binary}");
        }
        for check in
            stage.iter().filter_map(|line| line.split_once("CMD [").filter(|(start, _)| start.contains("HEALTHCHECK")))
        {
            let words: Vec<String> = serde_yaml_ng::from_str(&format!("[{}", check.1)).unwrap();
            assert_eq!(words[0], binary);
            self::help(&binary, &[&words[1]]);
        }
    }
}

#[test]
fn the_server_image_listens_where_it_says() {
    let serve = help("orrery", &["serve"]);
    let stage = stages()["orrery"].join("\n");
    let exposed = stage.lines().find_map(|line| line.strip_prefix("EXPOSE ")).unwrap();
    for port in exposed.split(' ') {
        assert!(serve.contains(&format!(":{port}]")), "{port} is no default port of the server");
        assert!(stage.contains(&format!("=0.0.0.0:{port}")), "{port} is exposed but not listened on");
    }
}

struct Service {
    name: String,
    binary: Option<String>,
    value: Value,
}

fn services() -> Vec<Service> {
    let mut file: Value = serde_yaml_ng::from_str(&read("docker-compose.yml")).unwrap();
    // Once per level: a merged block may itself merge another.
    (0..3).for_each(|_| file.apply_merge().unwrap());
    let stages = stages();
    let services = file["services"].as_mapping().unwrap().iter();
    services
        .map(|(name, value)| Service {
            name: name.as_str().unwrap().to_owned(),
            binary: value["build"]["target"].as_str().map(|target| binary_of(&stages[target])),
            value: value.clone(),
        })
        .collect()
}

fn words(value: &Value) -> Vec<String> {
    value.as_sequence().into_iter().flatten().map(|word| word.as_str().unwrap().to_owned()).collect()
}

/// Variables are listed by name, or follow from the flags where the help says that every flag is also a variable.
fn has_variable(help: &str, variable: &str) -> bool {
    let flag = variable.trim_start_matches("ORRERY_AGENT_").to_lowercase().replace('_', "-");
    help.contains(&format!("[env: {variable}"))
        || help.contains("Every flag is also a variable") && help.contains(&format!("--{flag} "))
}

#[test]
fn every_flag_and_variable_of_the_compose_file_exists() {
    for service in services() {
        let Some(binary) = &service.binary else { continue };
        let command = words(&service.value["command"]);
        let verbs: Vec<&str> = command.iter().take_while(|word| !word.starts_with('-')).map(String::as_str).collect();
        let help = help(binary, &verbs) + &all_help(binary);
        for flag in command.iter().filter(|word| word.starts_with("--")) {
            assert!(help.contains(&format!("{flag} ")), "{}: {binary} has no {flag}", service.name);
        }
        for (variable, _) in service.value["environment"].as_mapping().into_iter().flatten() {
            let variable = variable.as_str().unwrap();
            assert!(has_variable(&help, variable), "{}: {binary} has no {variable}", service.name);
        }
        if let [_, check, rest @ ..] = words(&service.value["healthcheck"]["test"]).as_slice() {
            assert_eq!(check, binary, "{}", service.name);
            self::help(binary, &[&rest[0]]);
        }
    }
}

#[test]
fn every_member_of_the_shop_has_a_container() {
    let run: BTreeSet<String> = services()
        .iter()
        .map(|service| words(&service.value["command"]))
        .filter(|command| command.first().is_some_and(|verb| verb == "service"))
        .map(|command| command[1].clone())
        .collect();
    let help = help("orrery-demo", &["service"]);
    // The long help lists them one a line: "- web: …".
    let listed = help.lines().filter_map(|line| line.trim().strip_prefix("- ")?.split(':').next());
    let members: BTreeSet<String> = listed.map(str::to_owned).collect();
    assert!(!members.is_empty(), "{help}");
    assert_eq!(run, members);
}

#[test]
fn every_address_leads_to_a_service_that_listens_there() {
    let services = services();
    let known: BTreeMap<String, &Service> = services
        .iter()
        .flat_map(|service| {
            let aliases = words(&service.value["networks"]["default"]["aliases"]);
            aliases.into_iter().chain([service.name.clone()]).map(move |name| (name, service))
        })
        .collect();
    let ports = |service: &Service| -> Vec<u16> {
        let published =
            words(&service.value["ports"]).into_iter().map(|port| port.rsplit(':').next().unwrap().parse().unwrap());
        match (service.binary.as_deref(), service.name.as_str()) {
            (Some("orrery"), _) => published.collect(),
            (Some("orrery-demo"), "faults") => published.collect(),
            (Some("orrery-demo"), _) => vec![8080],
            (_, "postgres") => vec![5432],
            (_, "redis") => vec![6379],
            (_, "nats") => vec![4222],
            _ => vec![],
        }
    };
    for service in &services {
        for (variable, value) in service.value["environment"].as_mapping().into_iter().flatten() {
            let urls = value.as_str().unwrap_or_default().split(',').filter_map(|url| url.split_once("://"));
            for (_, rest) in urls {
                let authority = rest.rsplit('@').next().unwrap().split('/').next().unwrap();
                let (host, port) = authority.split_once(':').unwrap();
                let target = known.get(host).unwrap_or_else(|| panic!("{}: {variable:?}: no {host}", service.name));
                assert!(ports(target).contains(&port.parse().unwrap()), "{}: {variable:?}: {authority}", service.name);
            }
        }
        for (name, condition) in service.value["depends_on"].as_mapping().into_iter().flatten() {
            let target = known[name.as_str().unwrap()];
            let image_checks = target.binary.as_deref() == Some("orrery");
            let checked = image_checks || !target.value["healthcheck"].is_null();
            assert!(
                condition["condition"].as_str() != Some("service_healthy") || checked,
                "{name:?} has no health check"
            );
        }
    }
    // The flags' defaults lead to services too: what compose does not override must resolve.
    let help = help("orrery-demo", &["service"]);
    for default in help.split("[default: http://").skip(1) {
        let host = default.split([':', ']']).next().unwrap();
        let overridden = ["127.0.0.1", "catalog"].contains(&host);
        assert!(overridden || known.contains_key(host), "{host} is a default of the shop but no service");
    }
}

#[test]
fn every_volume_is_declared() {
    let file: Value = serde_yaml_ng::from_str(&read("docker-compose.yml")).unwrap();
    let declared: BTreeSet<&str> = file["volumes"].as_mapping().unwrap().keys().filter_map(Value::as_str).collect();
    for service in services() {
        for volume in words(&service.value["volumes"]) {
            let source = volume.split(':').next().unwrap();
            assert!(source.starts_with('/') || declared.contains(source), "{}: {source}", service.name);
        }
    }
}
