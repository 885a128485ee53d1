package dlms_cosem

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/hdlc"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/wrapper"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
	"github.com/telegraf-dlms/telegraf-dlms/internal/state"
)

const (
	testKey     = "000102030405060708090A0B0C0D0E0F"
	testAuthKey = "D0D1D2D3D4D5D6D7D8D9DADBDCDDDEDF"
	testTitle   = "4D4D4D0000BC614E"
)

// pushOf is a data-notification with energies in Wh, and who it is from.
func pushOf(name string, energy uint32, stamp ...byte) []byte {
	b := axdr.AppendStructure(nil, 2)
	b = axdr.AppendStructure(b, 2)
	b = axdr.AppendOctetString(b, []byte{0, 0, 42, 0, 0, 255})
	b = axdr.AppendOctetString(b, []byte(name))
	b = axdr.AppendStructure(b, 3)
	b = axdr.AppendOctetString(b, []byte{1, 0, 1, 8, 0, 255})
	b = axdr.AppendDoubleLongUnsigned(b, energy)
	b = cosem.ScalerUnit{Unit: cosem.UnitWattHour}.Append(b)
	n := xdlms.DataNotification{InvokeID: 1, Time: stamp, Body: b}
	apdu, err := n.Append(nil)
	if err != nil {
		panic(err)
	}
	return apdu
}

// seal encloses an APDU in a general-glo-ciphering.
func seal(t testing.TB, title, key, authKey string, control byte, counter uint32, apdu []byte) []byte {
	t.Helper()
	bytesOf := func(s string) []byte {
		b, err := hex.DecodeString(s)
		require.NoError(t, err)
		return b
	}
	block, err := aes.NewCipher(bytesOf(key))
	require.NoError(t, err)
	aead, err := cipher.NewGCMWithTagSize(block, 12)
	require.NoError(t, err)
	iv := binary.BigEndian.AppendUint32(bytesOf(title), counter)
	header := binary.BigEndian.AppendUint32([]byte{control}, counter)
	aad := append([]byte{control}, bytesOf(authKey)...)
	sealed := aead.Seal(nil, iv, apdu, aad)
	if control&0x10 == 0 {
		sealed = sealed[:len(apdu)]
	}
	c := xdlms.Ciphered{Tag: xdlms.TagGeneralGloCiphering, Title: bytesOf(title), Protected: append(header, sealed...)}
	return c.Append(nil)
}

func inWrapper(t testing.TB, apdu []byte) []byte {
	b, err := wrapper.Append(nil, 1, 16, apdu)
	require.NoError(t, err)
	return b
}

func inHDLC(t testing.TB, source hdlc.Address, apdu []byte) []byte {
	f := hdlc.Frame{Destination: hdlc.ClientAddress(16), Source: source, Control: hdlc.Unnumbered(hdlc.UI, false), Info: append([]byte{0xE6, 0xE7, 0}, apdu...)}
	b, err := f.Append(nil)
	require.NoError(t, err)
	return b
}

func (s *sink) energies() (list []float64) {
	for _, p := range s.values("obis", "1.0.1.8.0.255") {
		list = append(list, p.fields["value"].(float64))
	}
	return list
}

// TestTwoMetersOnOneListener: their series are apart, and so are those of two
// that send from one address.
func TestTwoMetersOnOneListener(t *testing.T) {
	hear(t, onUDP, func(h *hearing) {
		h.udp.send("10.1.0.7:1000", inWrapper(h.t, pushOf("METER1", 1)))
		h.udp.send("10.1.0.7:1001", inWrapper(h.t, pushOf("METER2", 2)))
		h.udp.send("10.1.0.8:1001", pushOf("METER3", 3)) // without a frame
		h.udp.send("10.1.0.9:1001", inWrapper(h.t, []byte{0x0F, 0, 0, 0, 1, 0, 0x02, 0x01, 0x12, 0, 5}))
		synctest.Wait()
		for i, device := range []string{"METER1", "METER2", "METER3"} {
			require.Equal(h.t, float64(i+1), h.acc.values("device", device, "obis", "1.0.1.8.0.255")[0].fields["value"])
		}
		require.Equal(h.t, 5., h.acc.values("device", "10.1.0.9", "name", "index_1")[0].fields["value"], "who says nothing is known by the address")
	})
}

// TestLineWaitsForTheNumberOfTheMeter: the first list of some meters has the
// power only; it is held back until the next one tells whose it is.
func TestLineWaitsForTheNumberOfTheMeter(t *testing.T) {
	power := []byte{0x0F, 0, 0, 0, 1, 0, 0x02, 0x02, 0x09, 6, 1, 0, 1, 7, 0, 255, 0x12, 1, 0}
	source := hdlc.Address{Upper: 1, Size: 1}
	hear(t, onLine, func(h *hearing) {
		h.say(inHDLC(h.t, source, power))
		require.Empty(h.t, h.acc.values())
		h.say(inHDLC(h.t, source, pushOf("METER1", 7)))
		h.say(inHDLC(h.t, source, power))
		for _, p := range h.acc.values() {
			require.Equal(h.t, "METER1", p.tags["device"])
		}
		require.Len(h.t, h.acc.values("obis", "1.0.1.7.0.255"), 1)
		require.Equal(h.t, int64(1), h.acc.all()[0].fieldsOf(h.acc, "skipped"), "what was held back is counted")
	})
	hear(t, onLine, func(h *hearing) { // and if none ever does, the line is one meter
		for range 8 {
			h.say(inHDLC(h.t, source, power))
			time.Sleep(10 * time.Second)
		}
		list := h.acc.values("obis", "1.0.1.7.0.255")
		require.Len(h.t, list, 2)
		require.NotContains(h.t, list[0].tags, "device")
	})
}

// fieldsOf is a field of the first status metric.
func (point) fieldsOf(s *sink, name string) any {
	for _, p := range s.all() {
		if p.measurement == statusMeasurement {
			return p.fields[name]
		}
	}
	return nil
}

func TestPolicyOfKeys(t *testing.T) {
	plain := pushOf("METER1", 1)
	keyed := fmt.Sprintf("encryption_key = %q\nauthentication_key = %q\n", testKey, testAuthKey)
	only := fmt.Sprintf("encryption_key = %q\n", testKey)
	both := seal(t, testTitle, testKey, testAuthKey, 0x30, 5, plain)
	encrypted := seal(t, testTitle, testKey, "", 0x20, 5, plain)
	for _, c := range []struct {
		name, conf string
		apdu       []byte
		result     string
		message    string
	}{
		{"authenticated and encrypted", keyed, both, "success", ""},
		{"plain, with keys", keyed, plain, "auth", "the telegram is not encrypted, although there are keys"},
		{"plain, allowed", keyed + "allow_unauthenticated = true\n", plain, "success", ""},
		{"encrypted only", keyed, encrypted, "auth", "the telegram is encrypted, but has no tag that proves its sender"},
		{"encrypted only, allowed", only + "allow_unauthenticated = true\n", encrypted, "success", ""},
		{"suite 1 in name", only + "allow_unauthenticated = true\n", seal(t, testTitle, testKey, "", 0x21, 5, plain), "success", ""},
		{"suite 1 in name, authenticated", keyed, seal(t, testTitle, testKey, testAuthKey, 0x31, 5, plain), "success", ""},
		{"authentication key missing", only, both, "auth", "the tag of the telegram cannot be verified: authentication_key is missing"},
		{"authentication key missing, allowed", only + "allow_unauthenticated = true\n", both, "success", ""},
		{"no key", "", both, "decrypt", "an encrypted telegram came from system title " + testTitle + ", and there is no key for it"},
		{"wrong key", keyed, seal(t, testTitle, testAuthKey, testAuthKey, 0x30, 5, plain), "decrypt", "the encryption key is not the meter's"},
		{"wrong key without tag", only + "allow_unauthenticated = true\n", seal(t, testTitle, testAuthKey, "", 0x20, 5, plain), "decrypt", "the encryption key is not the meter's"},
		{"wrong authentication key", keyed, seal(t, testTitle, testKey, testKey, 0x30, 5, plain), "decrypt", "the encryption key fits, but the tag does not"},
		{"unknown suite", keyed, seal(t, testTitle, testKey, testAuthKey, 0x32, 5, plain), "decrypt", "security suite 2 is not supported"},
	} {
		t.Run(c.name, func(t *testing.T) {
			hear(t, onUDP+c.conf, func(h *hearing) {
				h.udp.send("10.1.0.7:1000", inWrapper(h.t, c.apdu))
				synctest.Wait()
				require.Equal(h.t, []string{c.result}, h.acc.results())
				if c.result == "success" {
					require.Equal(h.t, []float64{1}, h.acc.energies())
					require.Empty(h.t, h.acc.errors())
					return
				}
				require.Empty(h.t, h.acc.values())
				require.Len(h.t, h.acc.errors(), 1)
				require.Contains(h.t, h.acc.errors()[0], c.message)
				for _, secret := range []string{testKey, testAuthKey} {
					require.NotContains(h.t, strings.ToUpper(h.acc.errors()[0]), secret)
				}
			})
		})
	}
}

// TestRolledKey: a meter whose telegrams could be opened until then.
func TestRolledKey(t *testing.T) {
	keyed := fmt.Sprintf("encryption_key = %q\nauthentication_key = %q\n", testKey, testAuthKey)
	hear(t, onUDP+keyed, func(h *hearing) {
		h.udp.send("10.1.0.7:1000", seal(h.t, testTitle, testKey, testAuthKey, 0x30, 5, pushOf("METER1", 1)))
		h.udp.send("10.1.0.7:1000", seal(h.t, testTitle, testAuthKey, testKey, 0x30, 6, pushOf("METER1", 2)))
		synctest.Wait()
		require.Equal(h.t, []float64{1}, h.acc.energies())
		require.Len(h.t, h.acc.errors(), 1)
		require.Contains(h.t, h.acc.errors()[0], "telegrams could be opened until")
		require.Contains(h.t, h.acc.errors()[0], "rolled")
	})
}

func TestReplayedPushes(t *testing.T) {
	keyed := fmt.Sprintf("encryption_key = %q\nauthentication_key = %q\n", testKey, testAuthKey)
	at := func(t testing.TB, counter uint32) []byte {
		return inWrapper(t, seal(t, testTitle, testKey, testAuthKey, 0x30, counter, pushOf("METER1", counter)))
	}
	kept := state.Memory()
	hear(t, onUDP+keyed, func(h *hearing) {
		h.d.State, h.d.kept = kept, kept
		for _, n := range []uint32{100, 101, 101, 99, 100, 103, 102, 102, 20, 200, 150, 100} { // datagrams may overtake each other
			h.udp.send("10.1.0.7:1000", at(h.t, n))
		}
		synctest.Wait()
		require.Equal(h.t, []float64{100, 101, 99, 103, 102, 200, 150}, h.acc.energies())
		require.Len(h.t, h.log.at("W! "), 3) // two are of the keys, which anybody knows
		h.d.Stop()
	})
	hear(t, onTCP+keyed, func(h *hearing) { // the floor outlives the program
		h.d.kept = kept
		meter := h.tcp.connect("10.1.0.7:1000")
		for _, n := range []uint32{200, 199, 201, 202, 201} {
			_, err := meter.Write(at(h.t, n))
			require.NoError(h.t, err)
		}
		synctest.Wait()
		require.Equal(h.t, []float64{201, 202}, h.acc.energies())
		_ = meter.Close()
	})
}

func TestKeysFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys.csv")
	write := func(text string, mode os.FileMode) {
		require.NoError(t, os.WriteFile(file, []byte(text), mode))
		require.NoError(t, os.Chmod(file, mode))
	}
	write("title,encryption_key,authentication_key\n"+testTitle+","+testKey+","+testAuthKey+"\n", 0o600)
	other := "4D4D4D0000000002"
	conf := onUDP + fmt.Sprintf("keys_file = %q\n", file)
	hear(t, conf, func(h *hearing) {
		send := func(title string, n uint32) {
			h.udp.send("10.1.0.7:1000", seal(h.t, title, testKey, testAuthKey, 0x30, n, pushOf("METER", n)))
			synctest.Wait()
		}
		send(testTitle, 1)
		send(other, 2)
		require.Equal(h.t, []float64{1}, h.acc.energies())
		require.Equal(h.t, []string{"success"}, h.acc.results("device", testTitle))
		require.Equal(h.t, []string{"decrypt"}, h.acc.results("device", other), "an unknown title has a status")
		require.Contains(h.t, h.acc.errors()[0], "which is not in "+file)
		write("# two meters\n"+testTitle+","+testKey+","+testAuthKey+"\n"+other+","+testKey+","+testAuthKey+"\n", 0o600)
		time.Sleep(2 * time.Second)
		send(other, 3)
		require.Equal(h.t, []float64{1, 3}, h.acc.energies(), "it is read again when it changes")
		write("nonsense\n", 0o600)
		time.Sleep(2 * time.Second)
		send(other, 4)
		require.Equal(h.t, []float64{1, 3, 4}, h.acc.energies(), "a file that is broken does not cost the keys of before")
		require.Contains(h.t, strings.Join(h.acc.errors(), "\n"), file+":1: a system title has 16 hexadecimal digits")
	})
	for _, c := range []struct {
		name, text string
		mode       os.FileMode
		message    string
	}{
		{"others may read it", testTitle + "," + testKey + "\n", 0o644, "others may read or change " + file + " (mode 0644): chmod 600 it"},
		{"title", "4D4D,11\n", 0o600, file + ":1: a system title has 16 hexadecimal digits"},
		{"key", testTitle + ",\"" + testKey[:30] + "\"\n", 0o600, file + ":1: encryption_key: 32 hexadecimal digits are expected"},
		{"fields", testTitle + "\n", 0o600, file + ":1: 1 field: title, encryption_key, authentication_key is expected"},
		{"twice", testTitle + "," + testKey + "\n" + testTitle + "," + testKey + "\n", 0o600, file + ":2: system title " + testTitle + " is there twice"},
	} {
		t.Run(c.name, func(t *testing.T) {
			write(c.text, c.mode)
			hear(t, conf, func(h *hearing) {
				h.udp.send("10.1.0.7:1000", seal(h.t, testTitle, testKey, testAuthKey, 0x30, 1, pushOf("METER", 1)))
				synctest.Wait()
				require.Contains(h.t, strings.Join(h.acc.errors(), "\n"), c.message)
				require.NotContains(h.t, strings.Join(h.acc.errors(), "\n"), testKey[:30])
			})
		})
	}
}

func TestAllowedSources(t *testing.T) {
	hear(t, onTCP+"allowed_sources = [\"10.1.0.0/16\"]\n", func(h *hearing) {
		stranger := h.tcp.connect("192.168.0.9:1")
		_, err := stranger.Read(make([]byte, 1))
		require.ErrorIs(h.t, err, io.EOF)
		meter := h.tcp.connect("10.1.0.7:1")
		_, err = meter.Write(inWrapper(h.t, pushOf("METER1", 1)))
		require.NoError(h.t, err)
		synctest.Wait()
		require.Equal(h.t, []float64{1}, h.acc.energies())
		require.Len(h.t, h.acc.errors(), 1)
		require.Contains(h.t, h.acc.errors()[0], "192.168.0.9 was refused: it is not in allowed_sources")
		_ = meter.Close()
	})
}

func TestTelegramTime(t *testing.T) {
	stamp := axdr.FromTime(time.Date(2000, 1, 1, 0, 59, 30, 0, time.FixedZone("", 3600)))
	hear(t, onUDP+"timestamp = \"meter\"\n", func(h *hearing) {
		h.udp.send("10.1.0.7:1", pushOf("METER1", 1, stamp.Append(nil)...))
		synctest.Wait()
		require.Equal(h.t, time.Date(1999, 12, 31, 23, 59, 30, 0, time.UTC), h.acc.values("obis", "1.0.1.8.0.255")[0].at.UTC())
	})
	hear(t, onUDP, func(h *hearing) {
		h.udp.send("10.1.0.7:1", pushOf("METER1", 1, stamp.Append(nil)...))
		synctest.Wait()
		require.Equal(h.t, h.start.UTC(), h.acc.values("obis", "1.0.1.8.0.255")[0].at.UTC(), "when it came")
	})
}

// TestItemsChooseAndRename, and lay out wide.
func TestItemsChooseAndRename(t *testing.T) {
	item := "[[inputs.dlms_cosem.request.item]]\nname = \"counter\"\nobis = \"1.0.1.8.0.255\"\nscale = 0.001\nunit = \"kWh\"\n"
	hear(t, onUDP+item, func(h *hearing) {
		h.udp.send("10.1.0.7:1", pushOf("METER1", 1500))
		synctest.Wait()
		require.Len(h.t, h.acc.values(), 1)
		require.Equal(h.t, "dlms_cosem,device=METER1,meter=pushes,name=counter,obis=1.0.1.8.0.255,source=:4059,unit=kWh value=1.5 946684800000000000", h.acc.values()[0].String())
	})
	hear(t, onUDP+"layout = \"wide\"\n", func(h *hearing) {
		h.udp.send("10.1.0.7:1", pushOf("METER1", 1500))
		synctest.Wait()
		require.Equal(h.t, "dlms_cosem_wide,device=METER1,meter=pushes,source=:4059 active_energy_import_total=1500,logical_device_name_text=\"METER1\" 946684800000000000", h.acc.all()[0].String())
	})
	place := "[[inputs.dlms_cosem.request.item]]\nname = \"level\"\nindex = 2\nscaler = -1\nunit = \"m\"\n"
	hear(t, onUDP+place, func(h *hearing) {
		h.udp.send("10.1.0.9:1001", inWrapper(h.t, []byte{0x0F, 0, 0, 0, 1, 0, 0x02, 0x02, 0x12, 0, 5, 0x12, 0, 25}))
		synctest.Wait()
		require.Equal(h.t, "dlms_cosem,device=10.1.0.9,meter=pushes,name=level,source=:4059,unit=m value=2.5 946684800000000000", h.acc.values()[0].String())
	})
}

func TestImplausibleAndUnscaled(t *testing.T) {
	volts := []byte{0x0F, 0, 0, 0, 1, 0, 0x02, 0x02, 0x09, 6, 1, 0, 32, 7, 0, 255, 0x12, 0x08, 0xFC}
	hear(t, onUDP, func(h *hearing) {
		for range 3 {
			h.udp.send("10.1.0.9:1001", volts)
		}
		synctest.Wait()
		list := h.acc.values("obis", "1.0.32.7.0.255")
		require.Len(h.t, list, 3)
		require.Equal(h.t, 2300., list[0].fields["value"], "it is not changed")
		require.NotContains(h.t, list[0].tags, "unit")
		warned := h.log.at("W! ")
		require.Len(h.t, warned, 2, "once each")
		require.Contains(h.t, warned[0], "comes without scaler and unit")
		require.Contains(h.t, warned[1], "a number from 80 to 480 is expected")
	})
}

// TestSilence: a device that pushed regularly and falls silent, and comes back.
func TestSilence(t *testing.T) {
	hear(t, onUDP, func(h *hearing) {
		for n := range 5 {
			h.udp.send("10.1.0.7:1", pushOf("METER1", uint32(n)))
			time.Sleep(10 * time.Second)
		}
		time.Sleep(10 * time.Second)
		require.NotContains(h.t, h.acc.results(), "timeout")
		time.Sleep(30 * time.Second)
		require.Equal(h.t, 1, countOf(h.acc.results("device", "METER1"), "timeout"))
		require.Contains(h.t, h.acc.errors()[0], "no telegram since 2000-01-01 00:00:40, device METER1, although there was one every 10s")
		time.Sleep(time.Hour)
		require.Equal(h.t, 1, countOf(h.acc.results(), "timeout"), "once")
		h.udp.send("10.1.0.7:1", pushOf("METER1", 9))
		synctest.Wait()
		require.Equal(h.t, "success", h.acc.results()[len(h.acc.results())-1])
	})
	hear(t, onLine, func(h *hearing) {
		time.Sleep(2 * time.Minute)
		require.Equal(h.t, []string{"timeout"}, h.acc.results())
		require.Contains(h.t, h.acc.errors()[0], "nothing came within")
	})
}

func countOf(list []string, s string) (n int) {
	for _, x := range list {
		if x == s {
			n++
		}
	}
	return n
}

// TestConfirmedPush is answered if it is to be.
func TestConfirmedPush(t *testing.T) {
	n := xdlms.DataNotification{InvokeID: xdlms.LongConfirmed | 7, Body: []byte{0}}
	apdu, err := n.Append(nil)
	require.NoError(t, err)
	for _, confirm := range []bool{false, true} {
		hear(t, onTCP+fmt.Sprintf("confirm_push = %v\n", confirm), func(h *hearing) {
			meter := h.tcp.connect("10.1.0.7:1")
			_, err := meter.Write(inWrapper(h.t, apdu))
			require.NoError(h.t, err)
			require.NoError(h.t, meter.SetReadDeadline(time.Now().Add(time.Minute)))
			b := make([]byte, 100)
			got, err := meter.Read(b)
			if confirm {
				require.Equal(h.t, "0001001000010005"+"1040000007", hex.EncodeToString(b[:got]))
			} else {
				require.ErrorIs(h.t, err, os.ErrDeadlineExceeded)
			}
			_ = meter.Close()
		})
	}
}

// TestPushFiresEventRequests of its meter.
func TestPushFiresEventRequests(t *testing.T) {
	conf := onUDP + "meter = \"m\"\n[[inputs.dlms_cosem.request]]\nname = \"asked\"\nmeter = \"m\"\nendpoint = \"tcp://10.0.0.5:4059\"\nsend_requests = true\nmethod = \"event\"\n[[inputs.dlms_cosem.request.item]]\nobis = \"1.0.1.8.0.255\"\n"
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		n.set("", &host{meter: meter(t, fmt.Sprintf(hdlcMeter, ""))})
		d, _ := plugin(t, n, conf)
		udp := newDatagrams()
		d.ListenPacket = func(context.Context, string) (net.PacketConn, error) { return udp, nil }
		acc := &sink{}
		require.NoError(t, d.Init())
		require.NoError(t, d.Start(acc))
		defer d.Stop()
		time.Sleep(time.Minute)
		require.Zero(t, n.dialed())
		udp.send("10.1.0.7:1", pushOf("METER1", 1))
		time.Sleep(time.Minute)
		require.Equal(t, 1, n.dialed())
	})
}

func TestHear(t *testing.T) {
	d, _ := plugin(t, nil, onTCP)
	require.NoError(t, d.Init())
	acc := &sink{}
	octets := append(inHDLC(t, hdlc.Address{Upper: 1, Size: 1}, pushOf("METER1", 7)), seal(t, testTitle, testKey, testAuthKey, 0x30, 1, pushOf("METER1", 8))...)
	good, bad, err := d.Hear(acc, "capture.hex", octets, time.Unix(1, 0))
	require.NoError(t, err)
	require.Equal(t, []float64{7}, acc.energies())
	require.Equal(t, "capture.hex", acc.values()[0].tags["source"])
	require.Equal(t, 1, good)
	require.Equal(t, 0, bad, "behind a frame of HDLC nothing else is looked for")
	require.NotEmpty(t, d.PushLists())
	asks, _ := plugin(t, nil, conf(top, "name = \"a\""))
	require.NoError(t, asks.Init())
	_, _, err = asks.Hear(acc, "x", octets, time.Unix(1, 0))
	require.Error(t, err)
}

// TestTwoTelegramsAtOnce have two times, or a database would keep one of them.
func TestTwoTelegramsAtOnce(t *testing.T) {
	hear(t, onTCP, func(h *hearing) {
		meter := h.tcp.connect("10.1.0.7:1")
		_, err := meter.Write(append(inWrapper(h.t, pushOf("METER1", 1)), inWrapper(h.t, pushOf("METER1", 2))...))
		require.NoError(h.t, err)
		synctest.Wait()
		list := h.acc.values("obis", "1.0.1.8.0.255")
		require.Len(h.t, list, 2)
		require.True(h.t, list[1].at.After(list[0].at))
		_ = meter.Close()
	})
}
