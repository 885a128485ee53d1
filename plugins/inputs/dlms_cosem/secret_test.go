package dlms_cosem

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

func secretOf(source string) (string, error) {
	var s Secret
	if err := s.UnmarshalText([]byte(source)); err != nil {
		return "", err
	}
	b, err := s.Get()
	return string(b), err
}

// TestSecretFileModes: what others may read is no secret. The group may: it is
// how the secrets of a service are kept.
func TestSecretFileModes(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes mean nothing there")
	}
	file := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(file, []byte("SeSaMe42\n"), 0o600))
	for mode, private := range map[os.FileMode]bool{
		0o400: true, 0o600: true, 0o700: true, 0o440: true, 0o640: true, 0o750: true,
		0o644: false, 0o604: false, 0o602: false, 0o660: false, 0o620: false, 0o666: false, 0o777: false,
	} {
		require.NoError(t, os.Chmod(file, mode))
		got, err := secretOf("file:" + file)
		if private {
			require.NoError(t, err, "%04o", mode)
			require.Equal(t, "SeSaMe42", got)
			continue
		}
		require.ErrorContains(t, err, "others may read or change "+file+" (mode ", "%04o", mode)
		require.ErrorContains(t, err, "chmod 600 it")
		require.NotContains(t, err.Error(), "SeSaMe")
		require.Empty(t, got)
	}
	require.NoError(t, os.Chmod(file, 0o644))
	for _, key := range []string{"encryption_key", "authentication_key", "password"} {
		err := decodeConf(t, conf(top+"\n"+key+" = \"file:"+file+"\"", "name = \"a\"\nauthentication = \"low\"\npassword = \"text:12345678\"")).Init()
		require.ErrorContains(t, err, key+": others may read or change "+file, "for every secret")
	}
}

// TestSecretCredential: systemd hands credentials over in a directory of the
// service.
func TestSecretCredential(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "meter-key"), []byte("SeSaMe42\n"), 0o400))
	require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(dir), "outside"), []byte("SeSaMe43"), 0o400))
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	got, err := secretOf("credential:meter-key")
	require.NoError(t, err)
	require.Equal(t, "SeSaMe42", got)
	got, err = secretOf("text:credential:meter-key")
	require.NoError(t, err)
	require.Equal(t, "credential:meter-key", got)
	_, err = secretOf("credential:other")
	require.ErrorIs(t, err, os.ErrNotExist)
	for _, name := range []string{"", ".", "..", "../outside", "/etc/passwd", "a/b", `a\b`} {
		_, err := secretOf("credential:" + name)
		require.ErrorContains(t, err, `after "credential:" the name of a credential is expected, which is no path`, name)
	}
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	_, err = secretOf("credential:meter-key")
	require.EqualError(t, err, "credential meter-key: $CREDENTIALS_DIRECTORY is not set: add LoadCredential=meter-key:/path/of/the/file to the systemd unit that starts this program")
}

// TestWeaknesses: keys and passwords that anybody would try first are told, each
// once, by the names of their settings and never by what they are.
func TestWeaknesses(t *testing.T) {
	const well, other = "3C8F1A94E7D2560B7A41C9F3088E6D25", "B1D94E07635AF82C19E04D7B9CA3865F"
	keys := func(encryption, authentication string) string {
		return "client_address = 1\nauthentication = \"high-gmac\"\nencryption_key = \"" + encryption + "\"\nauthentication_key = \"" + authentication + "\""
	}
	for name, c := range map[string]struct {
		request string
		want    []string // what is told, by how it begins
	}{
		"good keys":              {keys(well, other), nil},
		"zeros":                  {keys("00000000000000000000000000000000", other), []string{"encryption_key is one octet repeated"}},
		"one letter":             {keys(well, "41414141414141414141414141414141"), []string{"authentication_key is one octet repeated"}},
		"the Green Book's":       {keys("000102030405060708090A0B0C0D0E0F", "D0D1D2D3D4D5D6D7D8D9DADBDCDDDEDF"), []string{"encryption_key only counts", "authentication_key only counts"}},
		"counting down":          {keys("0F0E0D0C0B0A09080706050403020100", other), []string{"encryption_key only counts"}},
		"pairs of digits":        {keys("00112233445566778899AABBCCDDEEFF", other), []string{"encryption_key only counts"}},
		"digits as letters":      {keys(well, "1234567890123456"), []string{"authentication_key is made of digits in their order"}},
		"the same":               {keys(well, well), []string{"authentication_key is the same as encryption_key"}},
		"good password":          {"authentication = \"low\"\npassword = \"k7Qw93xZ\"", nil},
		"zeros as password":      {"authentication = \"low\"\npassword = \"00000000\"", []string{"password is one that meters leave the factory with"}},
		"digits as password":     {"authentication = \"low\"\npassword = \"12345678\"", []string{"password is one that meters leave the factory with"}},
		"a maker's":              {"authentication = \"low\"\npassword = \"ABCD0001\"", []string{"password is one that meters leave the factory with"}},
		"secret":                 {"client_address = 1\nauthentication = \"high-sha256\"\npassword = \"1234567890123456\"\n", nil},
		"switched off":           {"enabled = false\nauthentication = \"low\"\npassword = \"00000000\"", nil},
		"password without login": {"authentication = \"none\"", nil},
	} {
		t.Run(name, func(t *testing.T) {
			d := decodeConf(t, conf(top, "name = \"m\"\n"+c.request))
			require.NoError(t, d.Init())
			list := d.Weaknesses()
			require.Len(t, list, len(c.want), "%v", list)
			for i, want := range c.want {
				require.Contains(t, list[i], `Request "m": `+want)
			}
		})
	}
}

// TestWeaknessesTold: at the start, once for all requests that have it; never in
// a single reading, and nowhere the value.
func TestWeaknessesTold(t *testing.T) {
	const weak = "5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A"
	requests := make([]string, 7)
	for i := range requests {
		requests[i] = "name = \"m" + string(rune('0'+i)) + "\"\nmethod = \"event\""
	}
	c := conf(top+"\nclient_address = 1\nauthentication = \"high-gmac\"\nencryption_key = \""+weak+"\"\nauthentication_key = \""+weak+"\"", requests...)
	bubble(t, c, func(t *testing.T, _ *network, d *DLMS, acc *sink, j *journal) {
		_, _ = d.RunOnce(t.Context(), acc, "m0")
		require.Empty(t, j.at("W! "))
		require.NoError(t, d.Start(acc))
		d.Stop()
		list := j.at("W! ")
		require.Len(t, list, 3)
		for i, what := range []string{"encryption_key is one octet repeated", "authentication_key is one octet repeated", "authentication_key is the same"} {
			require.Contains(t, list[i], `Requests "m0", "m1", "m2", "m3", "m4" and 2 others: `+what)
		}
		for _, line := range append(j.at(""), acc.errors()...) {
			for _, s := range []string{weak, "5a5a", "ZZZZ", "90 90"} {
				require.NotContains(t, line, s)
			}
		}
	})
}
