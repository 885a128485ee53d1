package dlms_cosem

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/internal/preset"
	"github.com/telegraf-dlms/telegraf-dlms/presets"
)

// TestShippedPresets: each can be used as it is.
func TestShippedPresets(t *testing.T) {
	names := preset.Names(presets.Files)
	require.Equal(t, []string{"dsmr", "idis", "is15959", "kaifa-no", "kaifa-se", "kamstrup-no", "kamstrup-se", "kamstrup", "netz-noe", "spodes"}, names)
	for _, name := range names {
		file, err := preset.Load[Settings, Item](name, "", presets.Files)
		require.NoError(t, err)
		if len(file.List) > 0 { // for pushes
			d := decodeConf(t, "[[inputs.dlms_cosem]]\nendpoint = \"tcp-listen://:0\"\nsend_requests = false\n[[inputs.dlms_cosem.request]]\nname = \"a\"\npreset = \""+name+"\"\n")
			require.NoError(t, d.Init(), name)
			require.Greater(t, len(d.requests[0].lists), len(file.List), "beside those that are known by themselves")
			continue
		}
		d := decodeConf(t, "[[inputs.dlms_cosem]]\nendpoint = \"tcp://h:7000\"\nframing = \"hdlc\"\n[[inputs.dlms_cosem.request]]\nname = \"a\"\npreset = \""+name+"\"\n")
		require.NoError(t, d.Init(), name)
		require.NotEmpty(t, d.Plan()[0].Items)
		for _, it := range d.Plan()[0].Items {
			require.NotEmpty(t, it.Name)
		}
	}
}

func presetFile(t *testing.T, text string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "p.toml"), []byte(text), 0o600))
	return dir
}

const energies = `[match]
logical_device_name = "METER1*"

[link]
client_address = 33
reply_timeout = "9s"
retries = 7

[[item]]
name = "energy_import"
obis = "1.0.1.8.0.255"

[[item]]
name = "energy_export"
obis = "1.0.2.8.0.255"

[[item]]
name = "power"
obis = "1.0.1.7.0.255"
`

// TestPresetUse: what the request says comes first, then the top of the file,
// then the preset.
func TestPresetUse(t *testing.T) {
	dir := presetFile(t, energies)
	d := decodeConf(t, `[[inputs.dlms_cosem]]
endpoint = "tcp://h:4059"
preset = "p.toml"
reply_timeout = "3s"
[[inputs.dlms_cosem.request]]
name = "all"
client_address = 34
[[inputs.dlms_cosem.request.item]]
name = "mine"
obis = "1-0:2.8.0"
[[inputs.dlms_cosem.request]]
name = "some"
preset_items = ["energy_*"]
`)
	d.ConfigPath = filepath.Join(dir, "dlms.conf")
	require.NoError(t, d.Init())
	names := func(i int) (list []string) {
		for _, it := range d.requests[i].items {
			list = append(list, it.name)
		}
		return list
	}
	require.Equal(t, []string{"mine", "energy_import", "power"}, names(0))
	require.Equal(t, []string{"energy_import", "energy_export"}, names(1))
	require.Equal(t, []uint16{34, 33}, []uint16{d.requests[0].client, d.requests[1].client})
	require.Equal(t, "3s", d.requests[1].replyTimeout.String())
	require.Equal(t, 7, d.requests[1].retries)
}

func TestPresetMistakes(t *testing.T) {
	for text, want := range map[string]string{
		"[[item]]\nname = \"x\"\nobis = \"1.2\"\n":                                 `item "x": obis = "1.2": not an OBIS code`,
		"[link]\nretries = -1\n[[item]]\nname = \"x\"\nobis = \"1.0.1.8.0.255\"\n": "retries = -1: out of range",
		"[link]\nretry = 1\n": "unknown key link.retry",
	} {
		dir := presetFile(t, text)
		d := decodeConf(t, "[[inputs.dlms_cosem]]\nendpoint = \"tcp://h:4059\"\n[[inputs.dlms_cosem.request]]\nname = \"a\"\npreset = \""+filepath.Join(dir, "p.toml")+"\"\n")
		err := d.Init()
		require.ErrorContains(t, err, `request "a": preset = "`+filepath.Join(dir, "p.toml")+`": `)
		require.ErrorContains(t, err, want)
	}
}

// TestPresetMatch: a preset for another meter is warned about, once.
func TestPresetMatch(t *testing.T) {
	dir := presetFile(t, "[match]\nlogical_device_name = \"METER1*\"\n[[item]]\nname = \"v1\"\nobis = \"1.0.1.8.1.255\"\n")
	for name, warned := range map[string]int{"METER1": 0, "OTHER": 1} {
		c := "[[inputs.dlms_cosem]]\n" + hdlcTop + "\nkeep_open = \"never\"\n[[inputs.dlms_cosem.request]]\nname = \"a\"\npreset = \"" + filepath.Join(dir, "p.toml") + "\"\n"
		bubble(t, c, func(t *testing.T, n *network, d *DLMS, acc *sink, j *journal) {
			n.set("", &host{meter: newMeter("hdlc", newChanging(name, -1))})
			for range 2 {
				failed, err := d.RunOnce(context.Background(), acc, "")
				require.NoError(t, err)
				require.Zero(t, failed)
			}
			require.Equal(t, 2, requireTrue(t, acc))
			if warned == 0 {
				require.Empty(t, j.at("W! "))
			} else {
				require.Contains(t, j.at("W! ")[0], `The preset is not made for this meter: its logical device name is "OTHER", not "METER1*"`)
			}
		})
	}
}
