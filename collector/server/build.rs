//! Builds the dashboard and embeds it; see `orrery-bundle`.

fn main() {
    orrery_bundle::build_script();
}
