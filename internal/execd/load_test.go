package execd

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/plugins/inputs"
	"github.com/stretchr/testify/require"
)

type word string

func (w *word) UnmarshalText(text []byte) error {
	if string(text) == "bad" {
		return errors.New("not a good word")
	}
	*w = word(text)
	return nil
}

type common struct {
	Endpoint string `toml:"endpoint"`
	Retries  *int   `toml:"retries"`
	Timeout  word   `toml:"timeout"`
}

type sampleItem struct {
	Name  string `toml:"name"`
	OBIS  string `toml:"obis"`
	Scale any    `toml:"scale"`
}

type sampleRequest struct {
	common
	Name  string            `toml:"name"`
	Tags  map[string]string `toml:"tags"`
	Item  []sampleItem      `toml:"item"`
	Small uint8             `toml:"small"`
	List  []int             `toml:"list"`
}

type sample struct {
	common
	Flag    bool            `toml:"flag"`
	Ratio   float64         `toml:"ratio"`
	Port    uint64          `toml:"port"`
	Request []sampleRequest `toml:"request"`
	Log     telegraf.Logger `toml:"-"`

	init error
}

func (*sample) SampleConfig() string              { return "" }
func (*sample) Gather(telegraf.Accumulator) error { return nil }
func (s *sample) Init() error                     { return s.init }
func (*sample) RefusedKeys() map[string]string {
	return map[string]string{"interval": "set it in the request"}
}

func TestMain(m *testing.M) {
	inputs.Add("sample", func() telegraf.Input { return &sample{} })
	os.Exit(m.Run())
}

func write(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "x.conf")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	return file
}

func TestLoad(t *testing.T) {
	t.Setenv("EXECD_HOST", "meter")
	t.Setenv("EXECD_DOLLAR", "${EXECD_HOST} $$")
	input, err := Load(write(t, `
# ${NOT_SET} in a comment is nothing
[[inputs.sample]]
  endpoint = "tcp://${EXECD_HOST}:1$$2 $x $"
  timeout = 5
  flag = true
  ratio = 2
  port = 4059
  retries = 0
  [[inputs.sample.request]]
    name = '${EXECD_DOLLAR}'
    timeout = "10s"
    small = 255
    list = [1, 2]
    item = [{ obis = "1", scale = 0.001 }, { obis = "2", scale = 3 }]
    [inputs.sample.request.tags]
      "${NOT_SET}" = "a$$b"
`))
	require.NoError(t, err)
	zero := 0
	require.Equal(t, &sample{
		common: common{Endpoint: "tcp://meter:1$2 $x $", Timeout: "5", Retries: &zero},
		Flag:   true, Ratio: 2, Port: 4059,
		Request: []sampleRequest{{
			common: common{Timeout: "10s"},
			Name:   "${EXECD_HOST} $$",
			Tags:   map[string]string{"${NOT_SET}": "a$b"},
			Item:   []sampleItem{{OBIS: "1", Scale: 0.001}, {OBIS: "2", Scale: int64(3)}},
			Small:  255,
			List:   []int{1, 2},
		}},
	}, input)
}

// mistake is a wrong configuration and what Load says to it.
type mistake struct {
	name, text string
	want       []string
}

const head = "[[inputs.sample]]\n"

func requireMistakes(t *testing.T, cases []mistake) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := Load(write(t, c.text))
			require.Error(t, err)
			got := strings.Split(err.Error(), "\n")
			for i := range got {
				got[i] = got[i][strings.Index(got[i], "x.conf"):]
			}
			require.Equal(t, c.want, got)
			require.NotContains(t, err.Error(), "hunter2")
		})
	}
}

func TestLoadMistakes(t *testing.T) {
	requireMistakes(t, []mistake{
		{"empty", "", []string{"x.conf: no table [[inputs.sample]]"}},
		{"only inputs", "[inputs]\n", []string{"x.conf: no table [[inputs.sample]]"}},
		{"inputs is a value", "inputs = 1\n", []string{"x.conf:1: no table [[inputs.sample]]"}},
		{"single brackets", "\n[inputs.sample]\n", []string{"x.conf:2: inputs.sample must be an array of tables: write [[inputs.sample]] with double brackets"}},
		{"another plugin", "[[inputs.cpu]]\n", []string{"x.conf:1: [[inputs.cpu]] does not belong here: this program has [[inputs.sample]], and inputs of Telegraf belong in Telegraf's own configuration"}},
		{"nearly the plugin", "[[inputs.Sampel]]\n", []string{`x.conf:1: unknown plugin "Sampel"; did you mean [[inputs.sample]]?`}},
		{"nearly inputs", "[[Inputs.sample]]\n", []string{`x.conf:1: unknown table "Inputs"; did you mean [[inputs.sample]]?`}},
		{"a second table", head + head, []string{"x.conf:2: a second plugin table [[inputs.sample]]: put its [[inputs.sample.request]] tables into the first, line 1"}},
		{"Telegraf's tables", "[agent]\n interval = \"1s\"\n" + head + "[[outputs.file]]\n[global_tags]\n", []string{
			"x.conf:1: [agent] does not belong here: this file holds only the table [[inputs.sample]] and what is below it; the rest belongs in Telegraf's own configuration",
			"x.conf:4: [[outputs.file]] does not belong here: this file holds only the table [[inputs.sample]] and what is below it; the rest belongs in Telegraf's own configuration",
			"x.conf:5: [global_tags] does not belong here: this file holds only the table [[inputs.sample]] and what is below it; the rest belongs in Telegraf's own configuration",
		}},
		{"a top-level key", "endpoint = \"x\"\n" + head, []string{`x.conf:1: the key "endpoint" has to stand below [[inputs.sample]]`}},
		{"no plugin table", "[[request]]\nname = \"a\"\n", []string{"x.conf:1: [[request]] has to be [[inputs.sample.request]], below [[inputs.sample]]"}},
		{"plugin table missing", "\n[[inputs.sample.request]]\nname = \"a\"\n", []string{"x.conf:2: the line [[inputs.sample]] is missing above this one"}},
		{"single brackets with requests", "[inputs.sample]\n[[inputs.sample.request]]\nname = \"a\"\n", []string{"x.conf:1: inputs.sample must be an array of tables: write [[inputs.sample]] with double brackets"}},
		{"keys after a table of tags", head + "[[inputs.sample.request]]\n[inputs.sample.request.tags]\nsite = \"x\"\nsmall = 1\n", []string{
			"x.conf:5: request 1: small is a key of [[inputs.sample.request]]: it has to stand above [inputs.sample.request.tags], which takes all lines below it",
		}},
		{"unknown key", head + "xyzzy = 1", []string{`x.conf:2: unknown key "xyzzy"`}},
		{"near miss", head + "enpdoint = 1", []string{`x.conf:2: unknown key "enpdoint"; did you mean "endpoint"?`}},
		{"wrong case", head + "Endpoint = \"x\"", []string{`x.conf:2: unknown key "Endpoint"; did you mean "endpoint"?`}},
		{"request in the plural", head + "[[inputs.sample.requests]]\nname = 1", []string{`x.conf:2: unknown key "requests"; did you mean "request"?`}},
		{"key of a request", head + "small = 1", []string{`x.conf:2: unknown key "small"; it belongs in a [[inputs.sample.request]] table`}},
		{"key after the items", head + "[[inputs.sample.request]]\nname = \"a\"\n[[inputs.sample.request.item]]\nobis = \"1\"\n\nretries = 1", []string{
			`x.conf:7: request "a", item 1: unknown key "retries"; it belongs in [[inputs.sample.request]], above its first [[inputs.sample.request.item]]`,
		}},
		{"refused", head + "interval = \"1s\"", []string{"x.conf:2: interval is not allowed here: set it in the request"}},
		{"all in order", head + "[[inputs.sample.request]]\nname = \"b\"\nsmall = 256\nlist = [1, \"a\"]\n[[inputs.sample.request]]\nlist = 1\nsmall = -1\n[inputs.sample.request.tags]\na = 1\n", []string{
			`x.conf:4: request "b": small = 256: out of range, allowed are 0 to 255`,
			`x.conf:5: request "b": list[1] = "a": must be a whole number, not a string`,
			`x.conf:7: request 2: list = 1: must be an array, not a whole number`,
			`x.conf:8: request 2: small = -1: out of range, allowed are 0 to 255`,
			`x.conf:10: request 2: tags.a = 1: must be a string in quotes, not a whole number`,
		}},
		{"types", head + "endpoint = 1\nflag = \"yes\"\nratio = \"1\"\nport = -1\nretries = 1.5\ntimeout = true\nrequest = 1", []string{
			`x.conf:2: endpoint = 1: must be a string in quotes, not a whole number`,
			`x.conf:3: flag = "yes": must be true or false, not a string`,
			`x.conf:4: ratio = "1": must be a number, not a string`,
			`x.conf:5: port = -1: must not be negative`,
			`x.conf:6: retries = 1.5: must be a whole number, not a number with a fraction`,
			`x.conf:7: timeout must be a string in quotes, not a boolean`,
			`x.conf:8: request must be an array of tables: write [[inputs.sample.request]] with double brackets`,
		}},
		{"more types", head + "endpoint = 2026-01-01\nflag = [1]\nratio = {a = 1}\n[inputs.sample.request]\nname = 1", []string{
			`x.conf:2: endpoint: must be a string in quotes, not a date or time`,
			`x.conf:3: flag: must be true or false, not an array`,
			`x.conf:4: ratio: must be a number, not a table`,
			`x.conf:5: request must be an array of tables: write [[inputs.sample.request]] with double brackets`,
		}},
		{"a text the field refuses", head + "\ntimeout = \"bad\"", []string{`x.conf:3: timeout: not a good word`}},
	})
}

func TestLoadVariablesAndSyntax(t *testing.T) {
	t.Setenv("EXECD_VALUE", "hunter22")
	t.Setenv("EXECD_SHORT", "no")
	requireMistakes(t, []mistake{
		{"unset variable", "# ${OTHER}\n" + head + "endpoint = \"${EXECD_NOT_SET}\"\nxyzzy = 1", []string{
			"x.conf:3: endpoint: the environment variable EXECD_NOT_SET is not set",
			`x.conf:4: unknown key "xyzzy"`,
		}},
		{"unset variable in an array", head + "[[inputs.sample.request]]\nlist = [\n1,\n\"${EXECD_NOT_SET}\"]", []string{
			"x.conf:5: list[1]: the environment variable EXECD_NOT_SET is not set",
		}},
		{"no variable's name", head + "endpoint = \"a${b c}\"\ntimeout = \"${\"", []string{
			"x.conf:2: endpoint: ${ without the name of a variable and a }; write $$ for a single $",
			"x.conf:3: timeout: ${ without the name of a variable and a }; write $$ for a single $",
		}},
		{"values of variables", head + "flag = \"${EXECD_VALUE}\"\nratio = \"${EXECD_SHORT}\"", []string{
			`x.conf:2: flag = "${EXECD_VALUE}": must be true or false, not a string`,
			`x.conf:3: ratio = "${EXECD_SHORT}": must be a number, not a string`,
		}},
		{"no quotes", head + "endpoint = hunter2\n", []string{`x.conf:2: not valid TOML: expected value but found something else (texts stand in double quotes)`}},
		{"no quotes, digits", head + "\nendpoint = 00000123\n", []string{`x.conf:3: not valid TOML: Invalid integer: cannot have leading zeroes (texts stand in double quotes)`}},
		{"no quotes, many digits", head + "endpoint = 12345678901234567890\n", []string{`x.conf:2: not valid TOML: the number is out of range for int64`}},
		{"no closing quote", head + "endpoint = \"hunter2\nflag = true\n", []string{`x.conf:2: not valid TOML: strings cannot contain newlines`}},
		{"key twice", head + "flag = true\n\nflag = true\n", []string{`x.conf:4: not valid TOML: Key 'inputs.sample.flag' has already been defined`}},
		{"no value", head + "flag =\n", []string{`x.conf:2: not valid TOML: expected value but found '\n'`}},
		{"escape", head + "endpoint = \"C:\\hunter2\"\n", []string{`x.conf:2: not valid TOML: invalid escape in string '\h'`}},
		{"open table", head + "\n[[inputs.sample.request\n", []string{`x.conf:3: not valid TOML: expected '.' or ']' to end table name, but got '\n'`}},
	})
}

func TestLoadNoFile(t *testing.T) {
	t.Parallel()
	_, err := Load(filepath.Join(t.TempDir(), "none"))
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, "none: cannot read the configuration: no such file or directory")
}

type placed struct{ path, msg string }

func (e *placed) Error() string      { return e.msg }
func (e *placed) ConfigPath() string { return e.path }

func TestInit(t *testing.T) {
	t.Setenv("EXECD_VALUE", "hunter22")
	file := write(t, "\n[[inputs.sample]]\n[[inputs.sample.request]]\nname = \"${EXECD_VALUE}\"\n[[inputs.sample.request]]\n[[inputs.sample.request.item]]\nobis = \"1\"\n")
	input, err := Load(file)
	require.NoError(t, err)
	require.NoError(t, Init(input, file))

	plain := errors.New("whole")
	input.(*sample).init = errors.Join(
		&placed{"request[1].item[0].obis", "wrong code"},
		errors.Join(&placed{"request[0].name", `name = "hunter22": taken`}, &placed{"request[1].name", "missing"}),
		&placed{"", "no requests"},
		plain,
	)
	err = Init(input, file)
	require.ErrorIs(t, err, plain)
	require.Equal(t, []string{
		file + ": whole",
		file + ":2: no requests",
		file + `:4: name = "${EXECD_VALUE}": taken`,
		file + ":5: missing",
		file + ":7: wrong code",
	}, strings.Split(err.Error(), "\n"))
}

func TestSetLogger(t *testing.T) {
	t.Parallel()
	s := &sample{}
	log := NewLogger(os.Stderr, false)
	SetLogger(s, log)
	require.Equal(t, log, s.Log)
}

func TestDecode(t *testing.T) {
	t.Parallel()
	s := &sample{}
	require.NoError(t, Decode(s, map[string]any{
		"endpoint": "${X}", "request": []map[string]any{{"name": "get", "item": []map[string]any{{"obis": "1"}}}},
	}))
	require.Equal(t, "${X}", s.Endpoint)
	require.Equal(t, "1", s.Request[0].Item[0].OBIS)
	require.EqualError(t, Decode(s, map[string]any{"retries": "x"}), `retries = "x": must be a whole number, not a string`)
}

func TestSuggest(t *testing.T) {
	t.Parallel()
	names := []string{"authentication", "client_address", "endpoint", "name", "obis", "timeout"}
	for key, want := range map[string]string{
		"Client-Address": "client_address",
		"clientaddress":  "client_address",
		"adress":         "",
		"autentication":  "authentication",
		"obsi":           "obis",
		"nam":            "name",
		"tiemout":        "timeout",
		"x":              "",
		"":               "",
	} {
		require.Equal(t, want, Suggest(key, names), key)
	}
}
