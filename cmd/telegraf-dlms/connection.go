package main

import (
	"context"
	"flag"
	"strconv"
)

// connectionKey is a key of the configuration which is also a flag of the
// commands that read a meter directly.
type connectionKey struct {
	name   string
	number bool
	usage  string
}

func connectionKeys() []connectionKey {
	return []connectionKey{
		{"framing", false, "`NAME` auto, hdlc or wrapper; auto is hdlc on serial ports, wrapper on UDP and on TCP port 4059"},
		{"baud_rate", true, "`N` speed of a serial port (default 9600)"},
		{"data_bits", true, "`N` bits of a character on a serial port (default 8)"},
		{"parity", false, "`NAME` of a serial port: none, even or odd (default none)"},
		{"stop_bits", true, "`N` on a serial port, 1 or 2 (default 1)"},
		{"dtr", false, "`STATE` of a serial port: auto, on or off (default auto)"},
		{"rts", false, "`STATE` of a serial port: auto, on, off or send, for RS-485 (default auto)"},
		{"link", false, "`NAME` auto, local, gsm or nbiot: sets the timeouts (5s, 5s, 30s; gsm 30s, 30s, 3m; nbiot 60s, 60s, 10m)"},
		{"reply_timeout", false, "`TIME` for one answer of the meter, as 500ms or 10s (default by link)"},
		{"inter_octet_timeout", false, "`TIME` between two octets of an answer (default 500ms)"},
		{"connect_timeout", false, "`TIME` for the connection (default by link)"},
		{"retries", true, "`N` attempts to recover from silence, per message (default 2)"},
		{"timeout", false, "`TIME` for everything, per device (default by link)"},
		{"min_interval", false, "`TIME` between two messages (default 0s)"},
		{"physical_address", false, "`ADDRESS` of the meter on its line with hdlc, or several as 1,2,3 (default none)"},
		{"logical_address", true, "`ADDRESS` of the logical device in the meter, 1 to 16382 (default 1)"},
		{"address_size", false, "`OCTETS` of the meter's HDLC address: auto, 1, 2 or 4 (default auto)"},
		{"client_address", true, "`ADDRESS` of ours, which decides what may be seen (default 16, or 32 with authentication low)"},
		{"referencing", false, "`NAME` ln or sn: logical or short names (default ln)"},
		{"authentication", false, "`NAME` none or low (default none)"},
		{"password", false, "`SECRET` for authentication low: file:PATH, env:NAME or - (ask)"},
		{"max_info", true, "`OCTETS` of an HDLC information field, 32 to 2030 (default 512)"},
		{"window", true, "`N` HDLC frames before an acknowledgement, 1 to 7 (default 1)"},
		{"max_pdu", true, "`OCTETS` of the largest message of the meter, 0 for no limit (default 65535)"},
		{"meter_timezone", false, "`ZONE` of the meter's clock, if it does not state its deviation (default Local)"},
		{"deviation", false, "`SIGN` of the clock's deviation: auto, standard, inverted or ignore (default auto)"},
	}
}

// registerConnection adds the connection keys to a command's flags.
func registerConnection(fs *flag.FlagSet) {
	for _, k := range connectionKeys() {
		if k.number {
			fs.Int(k.name, 0, k.usage)
		} else {
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
		case k.number:
			n, err := strconv.ParseInt(value, 10, 64)
			if err != nil {
				return nil, err
			}
			out[k.name] = n
		case k.name == "password":
			password, err := passwordFlag(ctx, value)
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
