//! Decides which addresses may be contacted, by the origin of the URL.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Set of addresses that a URL may lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Public addresses, for URLs from outside such as the target of a webhook.
    Public,
    /// Public addresses and private networks, for links in the answers of a configured API. Its
    /// storage may have an endpoint in the company's network. This machine and the metadata
    /// services of clouds stay out of reach.
    Linked,
    /// Every address, for a host that the user configured.
    Configured,
}

/// Kind of an address that is not public.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Special {
    Loopback,
    LinkLocal,
    Unspecified,
    Multicast,
    /// A private network, carrier-grade NAT included.
    Private,
    /// A service of a cloud for its own machines, such as credentials.
    Metadata,
    Reserved,
    /// An IPv6 address that stands for an IPv4 address.
    Translated(Ipv4Addr),
}

impl Reach {
    /// Returns the reason why an address is out of reach, as a noun phrase; `None` if it is not.
    pub fn refusal(self, address: IpAddr) -> Option<&'static str> {
        let special = special(address)?;
        match (self, special) {
            (Self::Configured, _) | (Self::Linked, Special::Private) => None,
            (Self::Linked, Special::Translated(inner)) => self.refusal(IpAddr::V4(inner)),
            (Self::Public | Self::Linked, special) => Some(special.name()),
        }
    }
}

impl Special {
    fn name(self) -> &'static str {
        match self {
            Self::Loopback => "this machine",
            Self::LinkLocal => "link-local",
            Self::Unspecified => "unspecified",
            Self::Multicast => "multicast",
            Self::Private => "in a private network",
            Self::Metadata => "a cloud's metadata service",
            Self::Reserved => "reserved",
            Self::Translated(_) => "an IPv4 address within IPv6",
        }
    }
}

fn special(address: IpAddr) -> Option<Special> {
    match address {
        IpAddr::V4(address) => special_v4(address),
        IpAddr::V6(address) => special_v6(address),
    }
}

fn special_v4(address: Ipv4Addr) -> Option<Special> {
    Some(match address.octets() {
        // Addresses of Azure, Oracle and Alibaba outside the link-local range.
        [168, 63, 129, 16] | [192, 0, 0, 192] | [100, 100, 100, 200] => Special::Metadata,
        [0, ..] => Special::Unspecified,
        [127, ..] => Special::Loopback,
        [169, 254, ..] => Special::LinkLocal,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] => Special::Private,
        [224..=239, ..] => Special::Multicast,
        [192, 0, 0 | 2, _] | [198, 18 | 19, ..] | [198, 51, 100, _] | [203, 0, 113, _] => {
            Special::Reserved
        }
        [240..=255, ..] => Special::Reserved,
        _ => return None,
    })
}

fn special_v6(address: Ipv6Addr) -> Option<Special> {
    let [.., a, b] = address.segments();
    let low = Ipv4Addr::from((u32::from(a) << 16) | u32::from(b));
    Some(match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => Special::Unspecified,
        [0, 0, 0, 0, 0, 0, 0, 1] => Special::Loopback,
        // Compatible and mapped addresses, NAT64.
        [0, 0, 0, 0, 0, 0 | 0xffff, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => {
            Special::Translated(low)
        }
        // AWS and Google.
        [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254] | [0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254] => {
            Special::Metadata
        }
        [0xfe80..=0xfebf, ..] => Special::LinkLocal,
        [0xfc00..=0xfdff, ..] | [0xfec0..=0xfeff, ..] => Special::Private,
        [0xff00..=0xffff, ..] => Special::Multicast,
        // Local NAT64, discard, Teredo and other assignments of the IETF, documentation, 6to4.
        [0x64, 0xff9b, 1, ..]
        | [0x100, 0, 0, 0, ..]
        | [0x2001, 0..=0x1ff, ..]
        | [0x2001, 0xdb8, ..]
        | [0x2002, ..]
        | [0x3fff, 0..=0xfff, ..] => Special::Reserved,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(reach: Reach, address: &str) -> Option<&'static str> {
        reach.refusal(address.parse().unwrap())
    }

    #[test]
    fn only_public_addresses_are_reached_from_outside() {
        for public in [
            "8.8.8.8",
            "172.15.0.1",
            "172.32.0.1",
            "100.63.0.1",
            "100.128.0.1",
            "169.253.0.1",
            "198.17.0.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450::1",
        ] {
            assert_eq!(refusal(Reach::Public, public), None, "{public}");
        }
        for special in [
            "0.0.0.0",
            "0.1.2.3",
            "127.0.0.1",
            "127.255.255.254",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "100.127.255.255",
            "169.254.169.254",
            "168.63.129.16",
            "192.0.0.192",
            "192.0.2.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:8.8.8.8",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "fd00:ec2::254",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "fc00::1",
            "fdff::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "2002:7f00:1::",
        ] {
            assert!(refusal(Reach::Public, special).is_some(), "{special}");
            assert_eq!(refusal(Reach::Configured, special), None, "{special}");
        }
    }

    #[test]
    fn links_lead_into_private_networks_but_not_to_this_machine_or_to_metadata() {
        for private in ["10.0.0.1", "100.64.0.1", "fd12::1", "64:ff9b::a00:1", "::ffff:8.8.8.8"] {
            assert_eq!(refusal(Reach::Linked, private), None, "{private}");
        }
        for special in [
            "127.0.0.1",
            "169.254.169.254",
            "100.100.100.200",
            "fd00:ec2::254",
            "::1",
            "::ffff:127.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "0.0.0.0",
        ] {
            assert!(refusal(Reach::Linked, special).is_some(), "{special}");
        }
    }
}
