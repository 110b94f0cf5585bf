//! Which addresses messages may be sent to. A channel's address is written by whoever may change channels: it must not
//! reach what only this machine reaches.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What is sent to besides public addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    /// Any address: for servers whose channels are written by those who run them.
    pub private: bool,
    /// Hosts that may have private addresses, as they are written in channels: `alertmanager`, `10.0.0.7`.
    pub hosts: Vec<String>,
}

impl Allowed {
    /// Whether something may be sent to this address of this host.
    pub fn permits(&self, host: &str, address: IpAddr) -> bool {
        self.private || is_public(address) || self.hosts.iter().any(|allowed| same_host(allowed, host))
    }
}

/// Names are the same in any case, with and without the dot at the end; addresses of IPv6 with and without brackets.
fn same_host(a: &str, b: &str) -> bool {
    let plain = |host: &str| host.trim().trim_end_matches('.').trim_matches(['[', ']']).to_ascii_lowercase();
    let (a, b) = (plain(a), plain(b));
    !a.is_empty() && a == b
}

/// Whether an address is one of a host on the public internet.
///
/// Source: IANA special-purpose address registries for IPv4 and IPv6. What carries an IPv4 address inside (mapped,
/// compatible, NAT64, 6to4, Teredo) is judged by that address, or refused.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_broadcast()
        || address.is_documentation()
        // "This network", which reaches this machine on Linux.
        || a == 0
        // Carriers' NAT.
        || (a == 100 && (64..128).contains(&b))
        // Protocol assignments.
        || (a == 192 && b == 0 && c == 0)
        // 6to4 relays.
        || (a == 192 && b == 88 && c == 99)
        // Benchmarks.
        || (a == 198 && (18..20).contains(&b))
        // Reserved.
        || a >= 240;
    !is_special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let inside = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match [a, b, c, d, e, f] {
        // Mapped, and translated by NAT64: what is reached is the IPv4 host.
        [0, 0, 0, 0, 0, 0xffff] | [0x64, 0xff9b, 0, 0, 0, 0] => inside(g, h),
        // Unspecified, loopback, and IPv4 in the way nobody uses any more.
        [0, 0, 0, 0, 0, 0] => false,
        // 6to4.
        [0x2002, ..] => inside(b, c),
        // Protocol assignments: Teredo, benchmarks, ORCHID.
        [0x2001, second, ..] if second < 0x200 => false,
        // Documentation.
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => false,
        // What is given out to hosts: global unicast. Not: unique local, link-local, site-local, multicast, discard,
        // translation for one's own use.
        [0x2000..=0x3fff, ..] => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hosts_of_the_internet_are_public() {
        let public = [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.167.1.1",
            "169.253.1.1",
            "198.17.0.1",
            "198.20.0.1",
            "223.255.255.254",
            "2606:4700:4700::1111",
            "2a00:1450:4001::1",
            "2400:cb00::1",
            "::ffff:1.1.1.1",
            "64:ff9b::8.8.8.8",
            "2002:808:808::1",
        ];
        let private = [
            // Loopback, unspecified, "this network".
            "127.0.0.1",
            "127.255.255.254",
            "0.0.0.0",
            "0.1.2.3",
            "::1",
            "::",
            // Private, carriers' NAT, link-local with the clouds' metadata, broadcast, multicast, reserved.
            "10.0.0.1",
            "10.255.255.255",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "169.254.169.254",
            "169.254.0.1",
            "255.255.255.255",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            // Assigned to protocols, documentation, benchmarks.
            "192.0.0.1",
            "192.0.2.1",
            "198.51.100.1",
            "203.0.113.1",
            "198.18.0.1",
            "198.19.255.255",
            "192.88.99.1",
            // IPv6: unique local with AWS' metadata, link-local, site-local, multicast, documentation, discard, Teredo.
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
            "2001:db8::1",
            "3fff::1",
            "100::1",
            "2001::1",
            "2001:2::1",
            "5f00::1",
            // IPv4 inside of IPv6.
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "::7f00:1",
            "64:ff9b::10.0.0.1",
            "64:ff9b:1::1",
            "2002:7f00:1::1",
            "2002:a00:1::1",
            "2002:a9fe:a9fe::1",
        ];
        let parse = |text: &str| text.parse::<IpAddr>().unwrap();
        let refused: Vec<_> = public.into_iter().filter(|text| !is_public(parse(text))).collect();
        let passed: Vec<_> = private.into_iter().filter(|text| is_public(parse(text))).collect();
        assert_eq!((refused, passed), (vec![], vec![]));
    }

    #[test]
    fn hosts_are_allowed_by_name() {
        let allowed =
            Allowed { private: false, hosts: vec!["Alertmanager.".into(), "10.0.0.7".into(), "fd00::1".into()] };
        let private: IpAddr = "10.0.0.7".parse().unwrap();
        for host in ["alertmanager", "ALERTMANAGER", "alertmanager.", "10.0.0.7", "[fd00::1]"] {
            assert!(allowed.permits(host, private), "{host}");
        }
        for host in ["", "alertmanager.evil.example", "10.0.0.8"] {
            assert!(!allowed.permits(host, private), "{host}");
        }
        assert!(Allowed { private: true, hosts: Vec::new() }.permits("x", private));
        assert!(!Allowed { private: false, hosts: vec![String::new()] }.permits("", private));
    }
}
