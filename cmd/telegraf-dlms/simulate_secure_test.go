package main

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
)

const simulatedKeys = " -encryption_key env:DLMS_TEST_EK -authentication_key env:DLMS_TEST_AK"

// setSecrets puts what the flags below name into the environment.
func setSecrets(t *testing.T) {
	t.Setenv("DLMS_TEST_EK", "000102030405060708090A0B0C0D0E0F")
	t.Setenv("DLMS_TEST_AK", "D0D1D2D3D4D5D6D7D8D9DADBDCDDDEDF")
	t.Setenv("DLMS_TEST_SECRET", "12345678")
}

func TestSimulateSecurity(t *testing.T) {
	setSecrets(t)
	keys := security.Keys{
		EncryptionKey:     []byte("\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0A\x0B\x0C\x0D\x0E\x0F"),
		AuthenticationKey: []byte("\xD0\xD1\xD2\xD3\xD4\xD5\xD6\xD7\xD8\xD9\xDA\xDB\xDC\xDD\xDE\xDF"),
	}
	secret := []byte("12345678")
	both := security.Authenticated | security.Encrypted
	for args, want := range map[string]map[uint16]dlmstest.Client{
		"":                   {16: {}},
		"-client_address=99": {99: {}},
		"-authentication low -password env:DLMS_TEST_SECRET":                          {32: {Mechanism: acse.Low, Password: secret, Secret: secret}},
		"-authentication high-sha256 -password env:DLMS_TEST_SECRET":                  {16: {}, 1: {Mechanism: acse.HLSSHA256, Password: secret, Secret: secret}},
		"-authentication high-gmac" + simulatedKeys:                                   {16: {}, 1: {Mechanism: acse.HLSGMAC, Keys: keys, Policy: both}},
		"-authentication high-gmac -security none -client_address=16" + simulatedKeys: {16: {Mechanism: acse.HLSGMAC, Keys: keys}},
		"-security authentication" + simulatedKeys:                                    {16: {}, 1: {Keys: keys, Policy: security.Authenticated}},
	} {
		t.Run(args, func(t *testing.T) {
			var f secureFlags
			fs := flag.NewFlagSet("", flag.ContinueOnError)
			f.register(fs)
			require.NoError(t, fs.Parse(strings.Fields(args)))
			var cfg dlmstest.Config
			require.NoError(t, f.apply(context.Background(), fs, &cfg))
			require.Equal(t, want, cfg.Clients)
			require.Equal(t, "SIM\x00\x10\x20\x30\x40", string(cfg.Title[:]))
			require.NotZero(t, cfg.Counter)
		})
	}
}

func TestSimulateSecurityRefused(t *testing.T) {
	setSecrets(t)
	for args, want := range map[string]string{
		"-authentication high-gmac":                                        "-authentication high-gmac needs -encryption_key and -authentication_key",
		"-authentication high-md5":                                         "-authentication high-md5 needs -password",
		"-authentication high-ecdsa":                                       "-authentication high-ecdsa needs -security_suite 1 or 2",
		"-authentication high-ecdsa -security_suite 1":                     "-authentication high-ecdsa needs -signing_key and -client_signing_key",
		"-authentication high-gmac -password env:X":                        "-password is of no use with -authentication high-gmac",
		"-security encryption":                                             "-security encryption needs -encryption_key and -authentication_key",
		"-security high":                                                   `-security "high": allowed are none, authentication, encryption and authentication+encryption`,
		"-encryption_key env:DLMS_TEST_EK":                                 "-encryption_key and -authentication_key go together",
		"-encryption_key 000102030405060708090A0B0C0D0E0F":                 "-encryption_key takes file:PATH, env:NAME or credential:NAME: what stands in the arguments can be read by others",
		"-encryption_key env:DLMS_TEST_SECRET":                             "-encryption_key: 32 hexadecimal digits are expected",
		"-system_title 4D4D":                                               `-system_title "4D4D": 16 hexadecimal digits are expected`,
		"-framing hdlc -client_address 128 -security none" + simulatedKeys: "-client_address 128: out of range, allowed are 1 to 127",
	} {
		t.Run(args, func(t *testing.T) {
			r := execute(t, append([]string{"simulate", "-listen", "127.0.0.1:0"}, strings.Fields(args)...)...)
			require.Equal(t, exitUsage, r.status)
			require.Contains(t, r.err, "telegraf-dlms simulate: "+want)
			require.NotContains(t, r.err, "0A0B0C")
		})
	}
}

// The public client reads the invocation counter of a secured meter.
func TestSimulateCounter(t *testing.T) {
	setSecrets(t)
	url := simulated(t, strings.Fields("-authentication high-gmac"+simulatedKeys)...)
	r := execute(t, "get", url, "-framing", "wrapper", "0.0.43.1.0.255")
	require.Equal(t, exitOK, r.status, r.err)
	require.Contains(t, r.out, "double-long-unsigned  0")
}

// A probe tells that a meter wants keys, and shows it none; get and objects use
// them, and no output has them.
func TestSecuredCommands(t *testing.T) {
	setSecrets(t)
	url := simulated(t, strings.Fields("-authentication high-gmac"+simulatedKeys)...)
	keys := strings.Fields("-framing wrapper -client_address 1 -authentication high-gmac" + simulatedKeys)
	r := execute(t, "probe", url, "-framing", "wrapper", "-client_address", "1")
	require.Equal(t, exitFailed, r.status)
	require.Contains(t, r.out, "Client 1 needs keys, which the utility has. With them:\n\ntelegraf-dlms get "+url+" -client_address 1 -authentication high-gmac")
	r = execute(t, append([]string{"probe", url}, keys...)...)
	require.Equal(t, exitUsage, r.status)

	r = execute(t, append([]string{"get", url, "1.0.1.8.0.255"}, keys...)...)
	require.Equal(t, exitOK, r.status, r.err)
	require.Contains(t, r.out, "Wh")

	file := filepath.Join(t.TempDir(), "p.toml")
	r = execute(t, append([]string{"objects", url, "-o", file, "-system_title", "5447440102030405"}, keys...)...)
	require.Equal(t, exitOK, r.status, r.err)
	preset, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Contains(t, string(preset), `authentication = "high-gmac"`)
	for _, secret := range []string{"DLMS_TEST", "5447440102030405", "0A0B0C"} {
		require.NotContains(t, string(preset), secret)
	}

	t.Setenv("DLMS_TEST_EK", "100102030405060708090A0B0C0D0E0F")
	r = execute(t, append([]string{"get", url, "1.0.1.8.0.255"}, keys...)...)
	require.Equal(t, exitFailed, r.status)
	require.Contains(t, r.err, "check encryption_key, authentication_key and client_address")
	require.NotContains(t, r.err, "0A0B0C")
}
