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
		{"framing", false, "`NAME` auto, hdlc or wrapper"},
		{"link", false, "`NAME` auto, local, gsm or nbiot: sets the timeouts"},
		{"reply_timeout", false, "`time` for an answer of the meter"},
		{"inter_octet_timeout", false, "`time` between two octets of an answer"},
		{"connect_timeout", false, "`time` for the connection"},
		{"retries", true, "`N` repetitions of a message"},
		{"timeout", false, "`time` for everything"},
		{"min_interval", false, "`time` between two messages"},
		{"physical_address", false, "physical `ADDRESS` of the meter (HDLC)"},
		{"logical_address", true, "logical `ADDRESS` of the meter, 1 to 16382"},
		{"address_size", false, "`OCTETS` of the HDLC server address: auto, 1, 2 or 4"},
		{"client_address", true, "`ADDRESS` of the client"},
		{"authentication", false, "`NAME` none or low"},
		{"password", false, "`SECRET` for authentication low: file:PATH, env:NAME or - (ask)"},
		{"meter_timezone", false, "`ZONE` of the meter's clock, if it does not state its deviation"},
		{"deviation", false, "`SIGN` of the clock's deviation: auto, standard, inverted or ignore"},
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
