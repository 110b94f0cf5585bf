//! `system.network.*` from `net/dev`.

use procfs_core::FromRead;
use procfs_core::net::{DeviceStatus, InterfaceDeviceStatus};

use super::{Place, directed};
use crate::instrument as i;
use crate::otlp::Recorder;

/// Records the interfaces that ever carried a packet, by name.
///
/// Containers' `veth` ends are left out: they come and go without bound, and `container.network.io` has them.
pub(super) fn record(place: &Place, to: &mut Recorder) -> anyhow::Result<()> {
    // The first process's view is the host's, wherever this process sits.
    let status = InterfaceDeviceStatus::from_file(place.proc.join("1/net/dev"))
        .or_else(|_| InterfaceDeviceStatus::from_file(place.proc.join("net/dev")))?;
    let mut devices: Vec<&DeviceStatus> = status.0.values().filter(|device| wanted(device)).collect();
    devices.sort_by(|a, b| a.name.cmp(&b.name));
    for device in devices {
        interface(device, to);
    }
    Ok(())
}

fn wanted(device: &DeviceStatus) -> bool {
    !device.name.starts_with("veth") && device.recv_packets + device.sent_packets > 0
}

fn interface(device: &DeviceStatus, to: &mut Recorder) {
    let d = device;
    let directions = [
        ("receive", d.recv_bytes, d.recv_packets, d.recv_drop, d.recv_errs),
        ("transmit", d.sent_bytes, d.sent_packets, d.sent_drop, d.sent_errs),
    ];
    for (direction, bytes, packets, dropped, errors) in directions {
        let attributes = || directed("network.interface.name", &d.name, "network.io.direction", direction);
        to.record(&i::NETWORK_IO, bytes, attributes());
        to.record(&i::NETWORK_PACKETS, packets, attributes());
        to.record(&i::NETWORK_DROPPED, dropped, attributes());
        to.record(&i::NETWORK_ERRORS, errors, attributes());
    }
}
