package main

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"strconv"
)

// connectionKey is a key of the configuration which is also a flag of the
// commands that read a meter directly.
type connectionKey struct {
	name  string
	kind  flagKind
	usage string
}

type flagKind uint8

const (
	text flagKind = iota
	number
	boolean
)

func connectionKeys() []connectionKey {
	return []connectionKey{
		{"framing", text, "`NAME` auto, hdlc or wrapper; auto is hdlc on serial ports, wrapper on UDP and on TCP port 4059"},
		{"baud_rate", number, "`N` speed of a serial port (default 9600)"},
		{"data_bits", number, "`N` bits of a character on a serial port (default 8)"},
		{"parity", text, "`NAME` of a serial port: none, even or odd (default none)"},
		{"stop_bits", number, "`N` on a serial port, 1 or 2 (default 1)"},
		{"dtr", text, "`STATE` of a serial port: auto, on or off (default auto)"},
		{"rts", text, "`STATE` of a serial port: auto, on, off or send, for RS-485 (default auto)"},
		{"protocol_mode", text, "`NAME` dlms, or dlms-iec for a sign-on after IEC 62056-21 before (default dlms)"},
		{"iec_address", text, "`ADDRESS` of the device in that sign-on (default any)"},
		{"max_baud", number, "`N` most speed to be chosen in the sign-on (default what the meter offers)"},
		{"fixed_baud", number, "`N` speed of a line that cannot change it"},
		{"software_7e1", boolean, "characters of 7 bits with parity are made of those of 8 bits, in the sign-on"},
		{"baud_change_delay", text, "`TIME` before the speed changes (default 0s)"},
		{"wakeup", text, "`TIME` for which NULs are sent before the sign-on, as 2.2s (default 0s)"},
		{"link", text, "`NAME` auto, local, gsm or nbiot: sets the timeouts (5s, 5s, 30s; gsm 30s, 30s, 3m; nbiot 60s, 60s, 10m)"},
		{"reply_timeout", text, "`TIME` for one answer of the meter, as 500ms or 10s (default by link)"},
		{"inter_octet_timeout", text, "`TIME` between two octets of an answer (default 500ms)"},
		{"connect_timeout", text, "`TIME` for the connection (default by link)"},
		{"retries", number, "`N` attempts to recover from silence, per message (default 2)"},
		{"timeout", text, "`TIME` for everything, per device (default by link)"},
		{"min_interval", text, "`TIME` between two messages (default 0s)"},
		{"physical_address", text, "`ADDRESS` of the meter on its line with hdlc, or several as 1,2,3 (default none)"},
		{"serial_number", text, "`NUMBER` of the meter, of which its physical address is made"},
		{"address_formula", text, "`FORMULA` for that, as last4 (default SN % 10000 + 1000)"},
		{"logical_address", number, "`ADDRESS` of the logical device in the meter, 1 to 16382 (default 1)"},
		{"address_size", text, "`OCTETS` of the meter's HDLC address: auto, 1, 2 or 4 (default auto)"},
		{"client_address", number, "`ADDRESS` of ours, which decides what may be seen (default 16, or 32 with authentication low)"},
		{"gateway_network", number, "`N` of a device behind a gateway (default 0)"},
		{"gateway_device", text, "`ADDRESS` of that device in its network: text, or octets as hex:01020304"},
		{"referencing", text, "`NAME` ln or sn: logical or short names (default ln)"},
		{"authentication", text, "`NAME` none, low, high-gmac, high-md5, high-sha1, high-sha256, high-ecdsa or high (default none)"},
		{"password", text, "`SECRET` for authentication low, or of high-level security: file:PATH, env:NAME, credential:NAME or - (ask)"},
		{"encryption_key", text, "`SECRET` of ciphered meters: file:PATH, env:NAME, credential:NAME or - (ask)"},
		{"authentication_key", text, "`SECRET` that goes with encryption_key: file:PATH, env:NAME, credential:NAME or - (ask)"},
		{"security", text, "`NAME` none, authentication, encryption or authentication+encryption (default what the keys allow)"},
		{"security_suite", number, "`N` security suite: 0, 1 (P-256) or 2 (P-384, keys of 64 digits) (default 0)"},
		{"ciphering", text, "`NAME` which ciphered messages are sent, and under which key: auto, service, general, identified, wrapped, agreed-one-pass or agreed-static (default auto, which is service)"},
		{"dedicated_key", text, "`SECRET` a key for the association alone: random, which makes one, or file:PATH, env:NAME (default none)"},
		{"master_key", text, "`SECRET` that wraps keys, for ciphering wrapped: file:PATH or env:NAME"},
		{"signing_key", text, "`SECRET` our private key for high-ecdsa, signed and agreed-one-pass, PEM or hexadecimal digits: file:PATH or env:NAME"},
		{"server_signing_key", text, "`KEY` the meter's public key for signing, or its certificate, PEM or hexadecimal digits: file:PATH or env:NAME"},
		{"agreement_key", text, "`SECRET` our private key for agreed-static, and for answers to agreed-one-pass, PEM or hexadecimal digits: file:PATH or env:NAME"},
		{"server_agreement_key", text, "`KEY` the meter's public key for agreed-static and agreed-one-pass, or its certificate, PEM or hexadecimal digits: file:PATH or env:NAME"},
		{"certificate", text, "`PEM` the certificate of signing_key, which is sent to the meter: file:PATH or env:NAME"},
		{"ca_certificate", text, "`PEM` the certificates of who is believed about the one that the meter sends, in place of server_signing_key: file:PATH or env:NAME"},
		{"signed", boolean, "sign requests with signing_key, and demand that answers are signed"},
		{"challenge_size", number, "`OCTETS` of our challenge in high-level security, 8 to 64 (default 16)"},
		{"association_object", text, "`OBIS` of the object that replies to our challenge (default 0.0.40.0.0.255)"},
		{"system_title", text, "`HEX` of ours (default one that is made once and kept)"},
		{"server_system_title", text, "`HEX` of the meter's, if it does not tell it"},
		{"invocation_counter", text, "`N` to begin with (default read from the meter)"},
		{"invocation_counter_obis", text, "`OBIS` of the meter's counter (default 0.0.43.1.0.255)"},
		{"state_dir", text, "`DIR` with our system title and the counters of keys, or with the running instance that has them (default by platform)"},
		{"max_info", number, "`OCTETS` of an HDLC information field, 32 to 2030 (default 512)"},
		{"window", number, "`N` HDLC frames before an acknowledgement, 1 to 7 (default 1)"},
		{"max_pdu", number, "`OCTETS` of the largest message of the meter, 0 for no limit (default 65535)"},
		{"block_window", number, "`N` general block transfer is proposed with this many blocks per window, 1 to 63 (default 0: service specific blocks only)"},
		{"meter_timezone", text, "`ZONE` of the meter's clock, if it does not state its deviation (default Local)"},
		{"deviation", text, "`SIGN` of the clock's deviation: auto, standard, inverted or ignore (default auto)"},
	}
}

// keysOfLogins are those that a probe does not use: it shows the meter no key.
func keysOfLogins() []string {
	return append(secretKeys()[1:], "authentication", "security", "security_suite", "ciphering", "signed", "challenge_size", "association_object",
		"system_title", "server_system_title", "invocation_counter", "invocation_counter_obis", "state_dir")
}

// secretKeys are those whose values do not stand in arguments. The password, which
// a probe may need, is the first.
func secretKeys() []string {
	return []string{"password", "encryption_key", "authentication_key", "dedicated_key", "master_key", "signing_key", "server_signing_key",
		"agreement_key", "server_agreement_key", "certificate", "ca_certificate"}
}

// registerConnection adds the connection keys to a command's flags.
func registerConnection(fs *flag.FlagSet, without ...string) {
	for _, k := range connectionKeys() {
		if slices.Contains(without, k.name) {
			continue
		}
		switch k.kind {
		case number:
			fs.Int(k.name, 0, k.usage)
		case boolean:
			fs.Bool(k.name, false, k.usage)
		default:
			fs.String(k.name, "", k.usage)
		}
	}
}

// connectionSettings returns the keys that were given, as a configuration file
// would hold them.
func connectionSettings(ctx context.Context, fs *flag.FlagSet) (map[string]any, error) {
	out := map[string]any{}
	for _, k := range connectionKeys() {
		if !isSet(fs, k.name) {
			continue
		}
		value := fs.Lookup(k.name).Value.String()
		switch {
		case k.kind == boolean:
			out[k.name] = value == "true"
		case k.kind == number:
			n, err := strconv.ParseInt(value, 10, 64)
			if err != nil {
				return nil, err
			}
			out[k.name] = n
		case slices.Contains(secretKeys(), k.name):
			password, err := passwordFlag(ctx, k.name, value)
			if err != nil {
				return nil, err
			}
			out[k.name] = password
		default:
			out[k.name] = value
		}
	}
	return out, nil
}

// misused tells each mistake in the flags of a command that reads a meter.
func (c *command) misused(s streams, err error) int {
	for _, e := range parts(err) {
		fmt.Fprintf(s.err, "%s: %s\n", c.title(), flagError(e))
	}
	return exitUsage
}
