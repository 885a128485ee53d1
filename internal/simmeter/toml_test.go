package simmeter

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

const exampleFile = `
[server]
framing = "hdlc"
logical_address = 3
physical_addresses = [17, 18]
address_size = 2
max_info = 128
window = 2
bare_ua = true
max_pdu = 512
conformance = ["get", "multiple-references"]
no_lists = true
list_max = 10
block_size = 100
max_sessions = 1
response_delay = "20ms"
inactivity = "-1s"

[[server.client]]
address = 16

[[server.client]]
address = 32
authentication = "low"
password = "12345678"

[faults]
dm_on_snrm = 2
wrong_fcs = true
late_by = "3s"
noise = "00 FF7E"
nested_arrays = 10000
reject_diagnostic = 13
ignore_snrm_parameters = true

[[object]]
class = 3
obis = "1-0:1.8.0*255"
value = { double-long-unsigned = 12345 }
scaler = -1
unit = "Wh"

[object.attribute.-1]
value = { long = -3 }

[[object]]
class = 5
obis = "1.0.1.4.0.255"
version = 1
values = [{ unsigned = 1 }, { unsigned = 2 }]
unit = 27
clients = [32]

[object.attribute.3]
result = "temporary-failure"

[[object]]
class = 1
obis = "0.0.42.0.0.255"
result = "read-write-denied"
`

func get(t *testing.T, o dlmstest.Objects, client uint16, class cosem.ClassID, code string, id int8) (string, xdlms.DataAccessResult) {
	t.Helper()
	instance, err := obis.Parse(code)
	require.NoError(t, err)
	b, res := o.Get(client, cosem.Attribute{Class: class, Instance: instance, ID: id}, nil, []byte{0xaa})
	require.Equal(t, byte(0xaa), b[0])
	return hex.EncodeToString(b[1:]), res
}

func TestParse(t *testing.T) {
	t.Parallel()
	o, cfg, err := Parse(exampleFile)
	require.NoError(t, err)
	require.Equal(t, dlmstest.Config{
		Framing:           dlmstest.FramingHDLC,
		LogicalAddress:    3,
		PhysicalAddresses: []uint16{17, 18},
		AddressSize:       2,
		MaxInfo:           128,
		Window:            2,
		BareUA:            true,
		MaxPDU:            512,
		Conformance:       xdlms.ConformanceGet | xdlms.ConformanceMultipleReferences,
		NoLists:           true,
		ListMax:           10,
		BlockSize:         100,
		MaxSessions:       1,
		ResponseDelay:     20 * time.Millisecond,
		Inactivity:        -time.Second,
		Clients:           map[uint16]dlmstest.Client{16: {}, 32: {Mechanism: acse.Low, Password: []byte("12345678")}},
		Faults: &dlmstest.Faults{
			DMOnSNRM: 2, WrongFCS: -1, LateBy: 3 * time.Second, Noise: []byte{0, 0xff, 0x7e},
			NestedArrays: 10000, IgnoreSNRMParameters: true,
			RejectDiagnostic: acse.Diagnostic{Source: acse.ServiceUser, Code: 13},
		},
	}, cfg)

	tests := []struct {
		client uint16
		class  cosem.ClassID
		code   string
		id     int8
		want   string
		res    xdlms.DataAccessResult
	}{
		{16, 3, "1.0.1.8.0.255", 1, "09060100010800ff", xdlms.Success},
		{16, 3, "1.0.1.8.0.255", 2, "0600003039", xdlms.Success},
		{16, 3, "1.0.1.8.0.255", 3, "02020fff161e", xdlms.Success},
		{16, 3, "1.0.1.8.0.255", -1, "10fffd", xdlms.Success},
		{16, 3, "1.0.1.8.0.255", 4, "", xdlms.ReadWriteDenied},
		{16, 4, "1.0.1.8.0.255", 2, "", xdlms.ObjectClassInconsistent},
		{16, 5, "1.0.1.4.0.255", 2, "", xdlms.ObjectUndefined},
		{32, 5, "1.0.1.4.0.255", 2, "1101", xdlms.Success},
		{32, 5, "1.0.1.4.0.255", 2, "1102", xdlms.Success},
		{32, 5, "1.0.1.4.0.255", 2, "1102", xdlms.Success},
		{32, 5, "1.0.1.4.0.255", 3, "", xdlms.TemporaryFailure},
		{32, 5, "1.0.1.4.0.255", 4, "02020f00161b", xdlms.Success},
		{16, 1, "0.0.42.0.0.255", 2, "", xdlms.ReadWriteDenied},
		{16, 1, "0.0.43.0.0.255", 2, "", xdlms.ObjectUndefined},
	}
	for _, tt := range tests {
		got, res := get(t, o, tt.client, tt.class, tt.code, tt.id)
		require.Equal(t, tt.res, res, "%s %d", tt.code, tt.id)
		require.Equal(t, tt.want, got, "%s %d", tt.code, tt.id)
	}
	for client, n := range map[uint16]int{16: 2, 32: 3} {
		list, res := get(t, o, client, cosem.AssociationLN, "0.0.40.0.0.255", 2)
		require.Equal(t, xdlms.Success, res)
		b, err := hex.DecodeString(list)
		require.NoError(t, err)
		d, err := axdr.Parse(b)
		require.NoError(t, err)
		require.Equal(t, n, d.Len())
	}
}

func TestParseEmpty(t *testing.T) {
	t.Parallel()
	o, cfg, err := Parse("")
	require.NoError(t, err)
	require.Equal(t, dlmstest.Config{}, cfg)
	_, res := get(t, o, 16, 3, "1.0.1.8.0.255", 2)
	require.Equal(t, xdlms.ObjectUndefined, res)
}

func TestValues(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		`{ null-data = true }`:                                "00",
		`{ boolean = true }`:                                  "0301",
		`{ bit-string = "1010101011" }`:                       "040aaac0",
		`{ integer = -128 }`:                                  "0f80",
		`{ long = -2 }`:                                       "10fffe",
		`{ double-long = -2147483648 }`:                       "0580000000",
		`{ long64 = -1 }`:                                     "14ffffffffffffffff",
		`{ unsigned = 255 }`:                                  "11ff",
		`{ long-unsigned = 65535 }`:                           "12ffff",
		`{ double-long-unsigned = 4294967295 }`:               "06ffffffff",
		`{ long64-unsigned = "18446744073709551615" }`:        "15ffffffffffffffff",
		`{ enum = 4 }`:                                        "1604",
		`{ bcd = 42 }`:                                        "0d42",
		`{ float32 = 62056 }`:                                 "1747726800",
		`{ float64 = 62056.0 }`:                               "1840ee4d0000000000",
		`{ octet-string = "0A 0b" }`:                          "09020a0b",
		`{ octet-text = "AB" }`:                               "09024142",
		`{ visible-string = "AB" }`:                           "0a024142",
		`{ utf8-string = "ä" }`:                               "0c02c3a4",
		`{ date-time = "2026-11-24T10:00:00+01:00" }`:         "1907ea0b18020a000000ffc400",
		`{ date-time = 2026-11-24T10:00:00+01:00 }`:           "1907ea0b18020a000000ffc400",
		`{ octet-date-time = "2026-11-24T10:00:00" }`:         "090c07ea0b18020a000000800000",
		`{ octet-date-time = 2026-11-24T10:00:00 }`:           "090c07ea0b18020a000000800000",
		`{ octet-date-time = "07EA0B18FF0A0000FF8000FF" }`:    "090c07ea0b18ff0a0000ff8000ff",
		`{ date = "2026-11-24" }`:                             "1a07ea0b1802",
		`{ date = 2026-11-24 }`:                               "1a07ea0b1802",
		`{ time = "10:01:02" }`:                               "1b0a010200",
		`{ time = 10:01:02 }`:                                 "1b0a010200",
		`{ array = [{ unsigned = 1 }, { unsigned = 2 }] }`:    "010211011102",
		`{ structure = [{ array = [] }, { boolean=false }] }`: "020201000300",
		`{ raw = "09 7F" }`:                                   "097f",
	}
	for text, want := range tests {
		o, _, err := Parse("[[object]]\nclass = 1\nobis = \"0.0.96.1.0.255\"\nvalue = " + text)
		require.NoError(t, err, text)
		got, res := get(t, o, 16, 1, "0.0.96.1.0.255", 2)
		require.Equal(t, xdlms.Success, res)
		require.Equal(t, want, got, text)
	}
}

func TestParseErrors(t *testing.T) {
	t.Parallel()
	object := "[[object]]\nclass = 3\nobis = \"1.0.1.8.0.255\"\n"
	tests := []struct{ name, text, want string }{
		{"syntax", "a = = b", "line 1"},
		{"unknown table", "[sever]", `unknown key "sever"`},
		{"unknown key of the server", "[server]\nmaxpdu = 1", `server: unknown key "maxpdu"`},
		{"unknown fault", "[faults]\ndm = 1", `faults: unknown key "dm"`},
		{"unknown key of an object", object + "scalar = 1", `object 1 (1.0.1.8.0.255): unknown key "scalar"`},
		{"unknown key of an attribute", object + "[object.attribute.5]\nvalu = 1", `object 1 (1.0.1.8.0.255), attribute 5: unknown key "valu"`},
		{"attribute without value", object + "[object.attribute.5]\n", "object 1 (1.0.1.8.0.255), attribute 5: value, values or result is missing"},
		{"attribute 1", object + "[object.attribute.1]\nvalue={unsigned=1}", "attribute.1: want [object.attribute.N]"},
		{"attribute twice", object + "value={unsigned=1}\n[object.attribute.2]\nvalue={unsigned=1}", "attribute 2: the attribute is given twice"},
		{"wrong type", "[server]\nmax_pdu = \"x\"", `server: max_pdu: want a whole number, not the text "x"`},
		{"out of range", "[server]\nwindow = 8", "server: window = 8: want 1 to 7"},
		{"no choice", "[server]\nframing = \"HDLC\"", `server: framing = "HDLC": want one of hdlc, wrapper`},
		{"no duration", "[server]\nresponse_delay = \"3\"", `response_delay = "3": want a duration such as 20ms`},
		{"no conformance bit", "[server]\nconformance = [\"gets\"]", `conformance: no conformance bit "gets"`},
		{"password without low", "[[server.client]]\naddress = 1\npassword = \"x\"", "server, client 1: a password goes with"},
		{"low without password", "[[server.client]]\naddress = 1\nauthentication = \"low\"", "server, client 1: a password goes with"},
		{"client without address", "[[server.client]]\n", "server, client 1: address is missing"},
		{"client twice", "[[server.client]]\naddress = 1\n[[server.client]]\naddress = 1", "server, client 2: there is another client"},
		{"no class", "[[object]]\nobis = \"1.0.1.8.0.255\"", "object 1 (1.0.1.8.0.255): class is missing"},
		{"no code", "[[object]]\nclass = 3", "object 1: obis is missing"},
		{"bad code", "[[object]]\nclass = 3\nobis = \"1.0.x\"", `object 1: obis = "1.0.x": not an OBIS code`},
		{"code twice", object + object, "object 2 (1.0.1.8.0.255): there is another object of this code"},
		{"no type", object + "value = 5", "value: want a table of one type, like { double-long-unsigned = 12345 }, not the number 5"},
		{"unknown type", object + "value = { uint32 = 5 }", "value: uint32: no such type"},
		{"value out of range", object + "value = { unsigned = 256 }", "value: unsigned: 256 is not within 0 and 255"},
		{"negative unsigned", object + "value = { long64-unsigned = -1 }", "value: long64-unsigned: -1 is not within"},
		{"bad octets", object + "value = { octet-string = \"0\" }", "is not a text of octets in hexadecimal"},
		{"value and result", object + "value = { unsigned = 1 }\nresult = \"other-reason\"", "only one of value, values and result"},
		{"bad result", object + "result = \"denied\"", `result = "denied": want one of hardware-fault, temporary-failure, read-write-denied`},
		{"bad unit", object + "value = { unsigned = 1 }\nunit = \"kWh\"", `unit: no unit has the symbol "kWh"`},
		{"scaler of data", "[[object]]\nclass = 1\nobis = \"0.0.96.1.0.255\"\nscaler = 1", "class 1 has no scaler and unit"},
		{"nested too deep", object + "value = " + strings.Repeat("{ array = [", 40) + strings.Repeat("] }", 40), "more than 32 levels"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, _, err := Parse(tt.text)
			require.ErrorContains(t, err, tt.want)
		})
	}
}

func TestLoadNamesTheFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "meter.toml")
	_, _, err := Load(file)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NoError(t, os.WriteFile(file, []byte("[server]\na = 1\nb = 2"), 0o600))
	_, _, err = Load(file)
	require.EqualError(t, err, file+": server: unknown key \"a\"\n"+file+": server: unknown key \"b\"")
	require.NoError(t, os.WriteFile(file, []byte(exampleFile), 0o600))
	_, cfg, err := Load(file)
	require.NoError(t, err)
	require.Equal(t, 512, cfg.MaxPDU)
}

// Every fault of dlmstest but the hook has a name in the file.
func TestEveryFaultHasAName(t *testing.T) {
	t.Parallel()
	f := &dlmstest.Faults{}
	named := len(faultCounts(f)) + len(faultFlags(f))
	others := map[string]bool{"Noise": true, "LateBy": true, "NestedArrays": true, "RejectDiagnostic": true, "Raw": true}
	require.Equal(t, reflect.TypeFor[dlmstest.Faults]().NumField()-len(others), named)
	for key, count := range faultCounts(f) {
		*count = 1
		v := reflect.ValueOf(*f)
		for i := range v.NumField() {
			if !v.Field(i).IsZero() {
				name := strings.ToLower(v.Type().Field(i).Name)
				require.Equal(t, strings.ReplaceAll(key, "_", ""), name)
			}
		}
		*count = 0
	}
}

func FuzzParse(f *testing.F) {
	f.Add(exampleFile)
	f.Add("[[object]]\nclass = 1\nobis = \"0.0.96.1.0.255\"\nvalue = { structure = [{ date = 2026-11-24 }, { bcd = 1 }] }")
	f.Fuzz(func(t *testing.T, text string) {
		o, _, err := Parse(text)
		if err == nil {
			_, _ = get(t, o, 16, cosem.AssociationLN, "0.0.40.0.0.255", 2)
		}
	})
}
