package dlms_cosem

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// mistake is one wrong configuration: a top, request and item part.
type mistake struct {
	name               string
	top, request, item string
	path, message      string
}

const wellItem = `obis = "1.0.1.8.0.255"`

func mistakes() []mistake {
	long := strings.Repeat("m", 70)
	hdlc := "framing = \"hdlc\"\n"
	return []mistake{
		{"endpoint missing", "-", "", "", "request[0]", `request "r": endpoint: this key is required: supported are tcp://HOST:PORT, udp://HOST:PORT, file:///dev/ttyUSB0 or file://COM3 for serial ports, rfc2217://HOST:PORT for those of serial servers, and tcp-listen://ADDR:PORT and udp-listen://ADDR:PORT for meters that push or dial in`},
		{"endpoint without scheme", `endpoint = "10.0.0.5:4059"`, "", "", "endpoint", `endpoint = "10.0.0.5:4059": the scheme is missing: supported are tcp://HOST:PORT, udp://HOST:PORT, file:///dev/ttyUSB0 or file://COM3 for serial ports, rfc2217://HOST:PORT for those of serial servers, and tcp-listen://ADDR:PORT and udp-listen://ADDR:PORT for meters that push or dial in`},
		{"endpoint without port", `endpoint = "tcp://meter"`, "", "", "endpoint", `endpoint = "tcp://meter": the port is missing: DLMS over TCP and UDP has port 4059, e.g. tcp://meter:4059`},
		{"endpoint serial", "", `endpoint = "file://ttyUSB0"`, "", "request[0].endpoint", `request "r": endpoint = "file://ttyUSB0": not the name of a serial port: file:///dev/ttyUSB0, with three slashes, or file://COM3 is expected`},
		{"endpoint for datagrams that are asked", "", `endpoint = "udp-listen://:4059"`, "", "request[0].endpoint", `request "r": endpoint = "udp-listen://:4059": meters that send datagrams are not asked: set send_requests = false; those that dial in over TCP are, at tcp-listen://`},
		{"endpoint that hears nothing", "send_requests = false", `endpoint = "udp://h:4059"`, "", "request[0].endpoint", `request "r": endpoint = "udp://h:4059": nothing comes to a socket that has sent nothing: use udp-listen://ADDR:PORT`},
		{"framing of what is asked", "", `framing = "mbus"`, "", "request[0].framing", `request "r": framing = "mbus": M-Bus is listened to only: set send_requests = false`},
		{"method of what is not asked", "send_requests = false", `method = "polling"`, "", "request[0].method", `request "r": method = "polling": with send_requests = false the meter decides when: remove it`},
		{"keys file of what is asked", "", `keys_file = "keys.csv"`, "", "request[0].keys_file", `request "r": keys_file: it is for what meters push: set send_requests = false, or remove it`},
		{"GMAC without keys", "", `authentication = "high-gmac"` + "\nclient_address = 1", "", "request[0]", `request "r": encryption_key: authentication = "high-gmac" needs it, and authentication_key`},
		{"GMAC without the second key", "", `authentication = "high-gmac"` + "\nclient_address = 1\nencryption_key = \"000102030405060708090A0B0C0D0E0F\"", "", "request[0]", `request "r": authentication_key: it is needed beside encryption_key here`},
		{"high-level security without client", "", `authentication = "high-sha1"` + "\npassword = \"x\"", "", "request[0]", `request "r": client_address: authentication = "high-sha1" needs it: meters with high-level security have their own clients: usual ones are 1 (management, IDIS and DSMR), 48 and 80 (IS 15959), 102 (pre-established)`},
		{"high-level security without secret", "", `authentication = "high-md5"` + "\nclient_address = 1", "", "request[0]", `request "r": password: authentication = "high-md5" needs it: it is the secret, which is never sent`},
		{"security without key", "", `security = "encryption"`, "", "request[0]", `request "r": encryption_key: security = "encryption" needs it`},
		{"security unknown", "", `security = "all"` + "\nencryption_key = \"000102030405060708090A0B0C0D0E0F\"", "", "request[0].security", `request "r": security = "all": allowed are "none", "authentication", "encryption" and "authentication+encryption"`},
		{"title without key", "", `system_title = "4D4D4D0000BC614E"`, "", "request[0].system_title", `request "r": system_title: without encryption_key it has no effect: set that, or remove it`},
		{"title that is none", "", `server_system_title = "4D4D4D"` + "\nencryption_key = \"000102030405060708090A0B0C0D0E0F\"", "", "request[0].server_system_title", `request "r": server_system_title = "4D4D4D": a system title has 16 hexadecimal digits: three letters of the maker as 6, and 10 of the device`},
		{"counter out of range", "", `invocation_counter = 4294967296` + "\nencryption_key = \"000102030405060708090A0B0C0D0E0F\"", "", "request[0].invocation_counter", `request "r": invocation_counter = 4294967296: out of range: 0 to 4294967295 is allowed`},
		{"key too short", "send_requests = false", `encryption_key = "0001020304"`, "", "request[0].encryption_key", `request "r": encryption_key: a key of security suite 0 has 32 hexadecimal digits; this has 10 characters`},
		{"authentication key alone", "send_requests = false", `authentication_key = "000102030405060708090A0B0C0D0E0F"`, "", "request[0].authentication_key", `request "r": authentication_key: it does nothing without encryption_key: both are needed to open a telegram`},
		{"order of what is asked", "", `assume_order = true`, "", "request[0].assume_order", `request "r": assume_order: it is for what meters push: set send_requests = false, or remove it`},
		{"sources where nobody connects", "", `allowed_sources = ["10.0.0.0/8"]`, "", "request[0].allowed_sources", `request "r": allowed_sources = [10.0.0.0/8]: nobody connects to us there: it belongs to tcp-listen:// and udp-listen://`},
		{"sources that are none", "send_requests = false", `endpoint = "tcp-listen://:1"` + "\n" + `allowed_sources = ["meters"]`, "", "request[0].allowed_sources", `request "r": allowed_sources = "meters": not an address or network: "10.1.2.3", "10.1.0.0/16" or "fd00::/8" is expected`},
		{"sources without any", "send_requests = false", `endpoint = "tcp-listen://:1"` + "\n" + `allowed_sources = []`, "", "request[0].allowed_sources", `request "r": allowed_sources = []: the list is empty, nobody could connect: remove it, or name the networks of the meters`},
		{"identity of what is asked", "", `identity = "4B464D*"`, "", "request[0].identity", `request "r": identity = "4B464D*": the endpoint tells which meter it is: it belongs to tcp-listen:// and udp-listen://, and to send_requests = false`},
		{"identity that is no glob", "send_requests = false", `identity = "[a"`, "", "request[0].identity", `request "r": identity = "[a": not a glob: a system title like "4B464D10200*", a logical device name or a meter number is expected`},
		{"timestamp of telegrams unknown", "send_requests = false", `timestamp = "telegram"`, "", "request[0].timestamp", `request "r": timestamp = "telegram": allowed are "run" and "meter"`},
		{"speed to be found by asking", `endpoint = "file:///dev/ttyS9"`, `baud_rate = "auto"`, "", "request[0].baud_rate", `request "r": baud_rate = "auto": it is found by listening only: set send_requests = false, or use the command probe, which asks at all speeds`},
		{"framing of an endpoint twice", `endpoint = "tcp-listen://:1"` + "\nsend_requests = false\n[[inputs.dlms_cosem.request]]\nname = \"other\"\nframing = \"hdlc\"", `framing = "wrapper"`, "", "request[1]", `request "r": framing: request "other" listens at the same endpoint with another one: set it alike, or leave it out, and it is found out`},
		{"index that is none", "send_requests = false", "", `index = "4.x"`, "request[0].item[0].index", `request "r", item 1: index = "4.x": not an element: "2", or "2.1" for the first element of the second one, is expected (counted from 1)`},
		{"endpoint rfc2217 without port", "", `endpoint = "rfc2217://h"`, "", "request[0].endpoint", `request "r": endpoint = "rfc2217://h": the TCP port of the serial server is missing`},
		{"endpoint rfc2217 with wrapper", `endpoint = "rfc2217://h:1"`, `framing = "wrapper"`, "", "request[0].framing", `request "r": framing = "wrapper": serial ports carry HDLC: remove this key`},
		{"endpoint rfc2217 with direction", `endpoint = "rfc2217://h:1"`, `rts = "send"`, "", "request[0].rts", `request "r": rts = "send": a serial server turns the direction of its line by itself: set it there, and remove this key`},
		{"endpoint unknown scheme", "", `endpoint = "http://h:1"`, "", "request[0].endpoint", `request "r": endpoint = "http://h:1": unknown scheme "http": supported are tcp://HOST:PORT, udp://HOST:PORT, file:///dev/ttyUSB0 or file://COM3 for serial ports, rfc2217://HOST:PORT for those of serial servers, and tcp-listen://ADDR:PORT and udp-listen://ADDR:PORT for meters that push or dial in`},
		{"endpoint bad port", "", `endpoint = "tcp://h:70000"`, "", "request[0].endpoint", `request "r": endpoint = "tcp://h:70000": port "70000": a number from 1 to 65535 is expected`},
		{"endpoint with path", "", `endpoint = "tcp://h:1/x"`, "", "request[0].endpoint", `request "r": endpoint = "tcp://h:1/x": "/" does not belong into a host and port: supported are tcp://HOST:PORT, udp://HOST:PORT, file:///dev/ttyUSB0 or file://COM3 for serial ports, rfc2217://HOST:PORT for those of serial servers, and tcp-listen://ADDR:PORT and udp-listen://ADDR:PORT for meters that push or dial in`},
		{"endpoint without host", "", `endpoint = "tcp://:4059"`, "", "request[0].endpoint", `request "r": endpoint = "tcp://:4059": the host is missing: supported are tcp://HOST:PORT, udp://HOST:PORT, file:///dev/ttyUSB0 or file://COM3 for serial ports, rfc2217://HOST:PORT for those of serial servers, and tcp-listen://ADDR:PORT and udp-listen://ADDR:PORT for meters that push or dial in`},
		{"endpoint bare IPv6", "", `endpoint = "tcp://fe80::1:4059"`, "", "request[0].endpoint", `request "r": endpoint = "tcp://fe80::1:4059": not a host and port (an IPv6 address needs brackets): supported are tcp://HOST:PORT, udp://HOST:PORT, file:///dev/ttyUSB0 or file://COM3 for serial ports, rfc2217://HOST:PORT for those of serial servers, and tcp-listen://ADDR:PORT and udp-listen://ADDR:PORT for meters that push or dial in`},
		{"framing needed", `endpoint = "tcp://h:7000"`, "", "", "request[0]", `request "r": framing: this key is required on TCP port 7000: "hdlc" for serial servers and modems, "wrapper" for meters with DLMS over TCP (only port 4059 is known to be "wrapper")`},
		{"framing unknown", `framing = "can"`, "", "", "framing", `framing = "can": allowed are "auto", "hdlc", "wrapper" and "mbus"`},
		{"framing in wrong case", "", `framing = "HDLC"`, "", "request[0].framing", `request "r": framing = "HDLC": allowed are "auto", "hdlc", "wrapper" and "mbus"`},
		{"HDLC over UDP", `endpoint = "udp://h:4059"`, `framing = "hdlc"`, "", "request[0].framing", `request "r": framing = "hdlc": HDLC does not go over UDP: use "wrapper", or tcp://`},
		{"link unknown", "", `link = "lora"`, "", "request[0].link", `request "r": link = "lora": allowed are "auto", "local", "gsm" and "nbiot"`},
		{"duration without unit", "", `reply_timeout = "5"`, "", "request[0].reply_timeout", `request "r": reply_timeout = "5": not a duration: a number with its unit is expected, e.g. "500ms", "10s" or "15m"`},
		{"duration as a number", "", `timeout = 30`, "", "request[0].timeout", `request "r": timeout = "30": not a duration: a number with its unit is expected, e.g. "500ms", "10s" or "15m"`},
		{"duration negative", "", `connect_timeout = "-1s"`, "", "request[0].connect_timeout", `request "r": connect_timeout = "-1s": must be more than 0`},
		{"duration zero", "", `interval = "0s"`, "", "request[0].interval", `request "r": interval = "0s": must be more than 0`},
		{"duration too long", `inter_octet_timeout = "2h"`, "", "", "inter_octet_timeout", `inter_octet_timeout = "2h": must be at most 1h`},
		{"pause negative", "", `min_interval = "-1ms"`, "", "request[0].min_interval", `request "r": min_interval = "-1ms": must not be negative`},
		{"retries negative", "", `retries = -1`, "", "request[0].retries", `request "r": retries = -1: out of range: 0 to 1000 is allowed`},
		{"physical address no number", hdlc, `physical_address = "1,x"`, "", "request[0].physical_address", `request "r": physical_address = "1,x": "x" is not an address: 17, "1,2,3,4" or [1, 2, 3, 4] is expected`},
		{"physical address out of range", hdlc, `physical_address = [1, 16384]`, "", "request[0].physical_address", `request "r": physical_address = [1, 16384]: address 16384 is out of range: 1 to 16383 is allowed`},
		{"physical address twice", hdlc, `physical_address = [1, 2, 1]`, "", "request[0].physical_address", `request "r": physical_address = [1, 2, 1]: address 1 is there twice`},
		{"physical address empty list", hdlc, `physical_address = []`, "", "request[0].physical_address", `request "r": physical_address = []: the list is empty: leave the key out if the meter has no physical address`},
		{"physical address fraction", hdlc, `physical_address = 1.5`, "", "request[0].physical_address", `request "r": physical_address = 1.5: not an address: 17, "1,2,3,4" or [1, 2, 3, 4] is expected`},
		{"physical address without room", hdlc + "address_size = 1", `physical_address = 17`, "", "request[0].physical_address", `request "r": physical_address = 17: with address_size = 1 there is no room for it: use 2, 4 or "auto"`},
		{"physical address beyond size", hdlc + "physical_address = 300", `address_size = 2`, "", "physical_address", `request "r": physical_address = 300: address 300 is out of range: with address_size = 2, 1 to 127 is allowed`},
		{"gateway network alone", hdlc, `gateway_network = 1`, "", "request[0].gateway_network", `request "r": gateway_network = 1: without gateway_device it has no effect: set that, or remove it`},
		{"gateway network out of range", hdlc, "gateway_network = 256\ngateway_device = \"1\"", "", "request[0].gateway_network", `request "r": gateway_network = 256: out of range: 0 to 255 is allowed`},
		{"gateway device no octets", hdlc, `gateway_device = "hex:123"`, "", "request[0].gateway_device", `request "r": gateway_device = "hex:123": after "hex:" an even number of hexadecimal digits is expected`},
		{"gateway device empty", hdlc, `gateway_device = "hex:"`, "", "request[0].gateway_device", `request "r": gateway_device = "hex:": 0 octets: 1 to 255 are allowed`},
		{"serial number and address", hdlc, "serial_number = 1\nphysical_address = 17", "", "request[0].serial_number", `request "r": serial_number = 1: physical_address is set, too: remove one of the two`},
		{"serial number without digits", hdlc, `serial_number = "ABC"`, "", "request[0].serial_number", `request "r": serial_number = "ABC": serial number "ABC" does not end with digits`},
		{"serial number no number", hdlc, `serial_number = 1.5`, "", "request[0].serial_number", `request "r": serial_number = 1.5: a serial number is expected, "12345678", or several, "12345678, 12345679"`},
		{"serial numbers of one address", hdlc, `serial_number = "11234, 21234"`, "", "request[0].serial_number", `request "r": serial_number = "11234, 21234": address 2234 is there twice`},
		{"formula without serial number", hdlc, `address_formula = "last4"`, "", "request[0].address_formula", `request "r": address_formula = "last4": without serial_number it has no effect: set that, or remove it`},
		{"formula unknown", hdlc, "serial_number = 1\naddress_formula = \"SN * 2\"", "", "request[0].address_formula", `request "r": address_formula = "SN * 2": "SN * 2" is no formula: "SN % 10000 + 1000" and the like are, and last2, last3, last4 and mercury`},
		{"logical address out of range", "", `logical_address = 16383`, "", "request[0].logical_address", `request "r": logical_address = 16383: out of range: 1 to 16382 is allowed`},
		{"logical address beyond size", hdlc + "address_size = 1", `logical_address = 127`, "", "request[0].logical_address", `request "r": logical_address = 127: out of range: with address_size = 1, 1 to 126 is allowed`},
		{"address size unknown", hdlc, `address_size = 3`, "", "request[0].address_size", `request "r": address_size = 3: allowed are "auto", 1, 2 and 4`},
		{"client address zero", "", `client_address = 0`, "", "request[0].client_address", `request "r": client_address = 0: out of range: 1 to 65535 is allowed`},
		{"client address beyond HDLC", hdlc, `client_address = 128`, "", "request[0].client_address", `request "r": client_address = 128: out of range: 1 to 127 is allowed with HDLC`},
		{"preset unknown", "", `preset = "mine"`, "", "request[0].preset", `request "r": preset = "mine": there is no file mine, and no preset "mine": there is dsmr, idis, is15959, kaifa-no, kaifa-se, kamstrup-no, kamstrup-se, kamstrup, netz-noe, spodes`},
		{"preset file missing", `preset = "mine.toml"`, "", "", "preset", `request "r": preset = "mine.toml": there is no file mine.toml`},
		{"preset items without a preset", "", `preset_items = ["energy*"]`, "", "request[0].preset_items", `request "r": preset_items = [energy*]: without preset it has no effect: set that, or remove it`},
		{"preset items that fit none", "", "preset = \"spodes\"\npreset_items = [\"gas*\"]", "", "request[0].preset_items", `request "r": preset_items = [gas*]: no item of preset "spodes" has a name like "gas*"`},
		{"preset items no glob", "", "preset = \"spodes\"\npreset_items = [\"[\"]", "", "request[0].preset_items", `request "r": preset_items = [[]: "[" is no glob: syntax error in pattern`},
		{"protocol mode unknown", "", `protocol_mode = "iec"`, "", "request[0].protocol_mode", `request "r": protocol_mode = "iec": allowed are "dlms" and "dlms-iec"`},
		{"sign-on with the wrapper", "", `protocol_mode = "dlms-iec"` + "\nfixed_baud = 300", "", "request[0].protocol_mode", `request "r": protocol_mode = "dlms-iec": HDLC follows a sign-on: set framing = "hdlc"`},
		{"sign-on over TCP", hdlc, `protocol_mode = "dlms-iec"`, "", "request[0].protocol_mode", `request "r": protocol_mode = "dlms-iec": over tcp:// the speed of the line cannot follow: set fixed_baud to that of the converter`},
		{"device address", hdlc, "protocol_mode = \"dlms-iec\"\nfixed_baud = 300\niec_address = \"1!\"", "", "request[0].iec_address", `request "r": iec_address = "1!": '!' in a device address: digits, letters and blanks are allowed`},
		{"max_baud out of range", "", `max_baud = 200`, "", "request[0].max_baud", `request "r": max_baud = 200: out of range: 300 to 4000000 is allowed`},
		{"wakeup too long", "", `wakeup = "1m"`, "", "request[0].wakeup", `request "r": wakeup = "1m": must be at most 30s`},
		{"profile without obis", "", "", wellItem + "\n[[inputs.dlms_cosem.request.profile]]\nname = \"p\"", "request[0].profile[0]", `request "r", profile "p": obis: this key is required, e.g. "1.0.99.1.0.255"`},
		{"profile obis wrong", "", "", wellItem + "\n[[inputs.dlms_cosem.request.profile]]\nobis = \"load\"", "request[0].profile[0].obis", `request "r", profile 1: obis = "load": not an OBIS code: "load" has no dots; write it like 1.0.1.8.0.255 or 1-0:1.8.0*255`},
		{"profile lookback", "", "", wellItem + "\n[[inputs.dlms_cosem.request.profile]]\nobis = \"1.0.99.1.0.255\"\nlookback = \"a week\"", "request[0].profile[0].lookback", `request "r", profile 1: lookback = "a week": not a duration: a number with its unit is expected, e.g. "500ms", "10s" or "15m"`},
		{"profile rate", "", "", wellItem + "\n[[inputs.dlms_cosem.request.profile]]\nobis = \"1.0.99.1.0.255\"\nrate = 0", "request[0].profile[0].rate", `request "r", profile 1: rate = 0: out of range: 1 to 2147483647 is allowed`},
		{"profile columns none", "", "", wellItem + "\n[[inputs.dlms_cosem.request.profile]]\nobis = \"1.0.99.1.0.255\"\ncolumns = []", "request[0].profile[0].columns", `request "r", profile 1: columns = []: no column is chosen: leave the key out for all of them`},
		{"profile column unknown", "", "", wellItem + "\n[[inputs.dlms_cosem.request.profile]]\nobis = \"1.0.99.1.0.255\"\ncolumns = [\"energy\"]", "request[0].profile[0].columns", `request "r", profile 1: columns = [energy]: "energy": [NAME=]OBIS[:ATTRIBUTE] is expected, or the name of an item: not an OBIS code: "energy" has no dots; write it like 1.0.1.8.0.255 or 1-0:1.8.0*255`},
		{"profile twice", "", "", wellItem + "\n[[inputs.dlms_cosem.request.profile]]\nobis = \"1.0.99.1.0.255\"\n[[inputs.dlms_cosem.request.profile]]\nobis = \"1-0:99.1.0*255\"", "request[0].profile[1].name", `request "r", profile 2: name = "1.0.99.1.0.255": another profile of this request has this name`},
		{"profile of what is heard", "send_requests = false", "", wellItem + "\n[[inputs.dlms_cosem.request.profile]]\nobis = \"1.0.99.1.0.255\"", "request[0]", `request "r": profile: a profile is read by asking for it, and this request only listens: give it a request of its own`},
		{"referencing unknown", "", `referencing = "short"`, "", "request[0].referencing", `request "r": referencing = "short": allowed are "ln" and "sn"`},
		{"short names over UDP", `endpoint = "udp://h:4059"`, `referencing = "sn"`, "", "request[0].referencing", `request "r": referencing = "sn": not over UDP: an answer in short names does not tell what it answers, so that one which comes late would be taken for another: use tcp://`},
		{"base name of a logical name", "", "", wellItem + "\nbase_name = 0x6200", "request[0].item[0].base_name", `request "r", item 1: base_name = 25088: it belongs to short names: set referencing = "sn", or remove it`},
		{"base name out of range", "", "referencing = \"sn\"", wellItem + "\nbase_name = 65536", "request[0].item[0].base_name", `request "r", item 1: base_name = 65536: out of range: -32768 to 65535 is allowed`},
		{"authentication unknown", "", `authentication = "secret"`, "", "request[0].authentication", `request "r": authentication = "secret": allowed are "none", "low", "high", "high-md5", "high-sha1", "high-gmac", "high-sha256" and "high-ecdsa"`},
		{"low without password", "", `authentication = "low"`, "", "request[0]", `request "r": password: authentication = "low" needs it`},
		{"password empty", "", "authentication = \"low\"\npassword = \"\"", "", "request[0].password", `request "r": password: it is empty, and authentication = "low" needs one`},
		{"default password without low", `password = "12345678"`, "", "", "password", `password: without authentication = "low" it is never sent: add that, or remove the password`},
		{"password without low", "", `password = "12345678"`, "", "request[0].password", `request "r": password: without authentication = "low" it is never sent: add that, or remove the password`},
		{"password from a secret store", "authentication = \"low\"\npassword = \"@{store:key}\"", "", "", "password", `password: Telegraf's secret stores are not available here: use "file:/path", "env:NAME" or "credential:NAME"`},
		{"password not hexadecimal", "authentication = \"low\"", `password = "hex:12345"`, "", "request[0].password", `request "r": password: after "hex:" an even number of hexadecimal digits is expected; a password that really begins so is written "text:hex:..."`},
		{"password not in environment", "authentication = \"low\"", `password = "env:DLMS_TEST_UNSET"`, "", "request[0].password", `request "r": password: environment variable DLMS_TEST_UNSET is not set`},
		{"password file missing", "authentication = \"low\"", `password = "file:/nonexistent"`, "", "request[0].password", `request "r": password: open /nonexistent: no such file or directory`},
		{"method unknown", "", `method = "crontab"`, "", "request[0].method", `request "r": method = "crontab": allowed are "gather", "once", "polling", "times", "cron" and "event"`},
		{"cron impossible", "", "method = \"cron\"\ncron = \"0 0 31 4 *\"", "", "request[0].cron", `request "r": cron = "0 0 31 4 *": it never fires: there is no such day`},
		{"cron out of range", "", "method = \"cron\"\ncron = \"0 25 * * *\"", "", "request[0].cron", `request "r": cron = "0 25 * * *": hour "25": 0 to 23 is allowed`},
		{"cron of the top", "method = \"cron\"\ncron = \"x\"", "", "", "cron", `request "r": cron = "x": minute "x": 0 to 59 is allowed`},
		{"cron without its method", "", `cron = "0 0 12 * * *"`, "", "request[0].cron", `request "r": cron = "0 0 12 * * *": with method = "gather" it has no effect: set method = "cron", or remove it`},
		{"times without its method", "", "method = \"polling\"\ntimes = \"06:00:00\"", "", "request[0].times", `request "r": times = "06:00:00": with method = "polling" it has no effect: set method = "times", or remove it`},
		{"times missing", "", `method = "times"`, "", "request[0]", `request "r": times: method = "times" needs it, e.g. "06:00:00;18:00:00"`},
		{"times wrong", "", "method = \"times\"\ntimes = \"6 pm\"", "", "request[0].times", `request "r": times = "6 pm": "6 pm" is no time of day: HH:MM:SS is expected, several separated by ;`},
		{"interval with cron", "", "method = \"cron\"\ninterval = \"10s\"", "", "request[0].interval", `request "r": interval = "10s": with method = "cron" it has no effect: set method = "polling", or remove it`},
		{"interval with event", "", "method = \"event\"\ninterval = \"10s\"", "", "request[0].interval", `request "r": interval = "10s": with method = "event" it has no effect: set method = "polling", or remove it`},
		{"schedule's zone unknown", "", "method = \"cron\"\ntimezone = \"Mars/Olympus\"", "", "request[0].timezone", `request "r": timezone = "Mars/Olympus": not a time zone: "Local", "UTC" or a name like "Europe/Berlin" is expected`},
		{"grace negative", "", `misfire_grace = "-1s"`, "", "request[0].misfire_grace", `request "r": misfire_grace = "-1s": must not be negative`},
		{"window too long", "", `retry_window = "1000h"`, "", "request[0].retry_window", `request "r": retry_window = "1000h": must be at most 168h`},
		{"seven data bits", "", `data_bits = 7`, "", "request[0].data_bits", `request "r": data_bits = 7: HDLC needs all 8 bits of a character: use 8; with protocol_mode = "dlms-iec" the sign-on has 7 by itself`},
		{"parity unknown", "", `parity = "mark"`, "", "request[0].parity", `request "r": parity = "mark": allowed are "none", "even" and "odd"`},
		{"baud_rate out of range", "", `baud_rate = 0`, "", "request[0].baud_rate", `request "r": baud_rate = 0: out of range: 50 to 4000000 is allowed, and "auto" with send_requests = false`},
		{"rts unknown", "", `rts = "auto-send"`, "", "request[0].rts", `request "r": rts = "auto-send": allowed are "auto", "on", "off" and "send"`},
		{"wrapper on a serial port", "", "endpoint = \"file:///dev/ttyS0\"\nframing = \"wrapper\"", "", "request[0].framing", `request "r": framing = "wrapper": serial ports carry HDLC: remove this key`},
		{"keep_open unknown", "", `keep_open = "yes"`, "", "request[0].keep_open", `request "r": keep_open = "yes": allowed are "auto", "never" and "always"`},
		{"max_info out of range", "", `max_info = 16`, "", "request[0].max_info", `request "r": max_info = 16: out of range: 32 to 2030 is allowed`},
		{"window out of range", "", `window = 8`, "", "request[0].window", `request "r": window = 8: out of range: 1 to 7 is allowed`},
		{"max_pdu out of range", "", `max_pdu = 11`, "", "request[0].max_pdu", `request "r": max_pdu = 11: out of range: 12 to 65535 is allowed, and 0, which means no limit`},
		{"block_window out of range", "", `block_window = 64`, "", "request[0].block_window", `request "r": block_window = 64: out of range: 0 to 63 is allowed`},
		{"max_depth out of range", "", `max_depth = 33`, "", "request[0].max_depth", `request "r": max_depth = 33: out of range: 1 to 32 is allowed`},
		{"max_apdu out of range", "", `max_apdu = 10`, "", "request[0].max_apdu", `request "r": max_apdu = 10: out of range: 1024 to 1073741824 is allowed`},
		{"service unknown", "", "workarounds = { assume_conformance = \"get, set\" }", "", "request[0].workarounds.assume_conformance", `request "r": workarounds.assume_conformance = "get, set": "set" is none of the services of a reader: get, multiple-references, selective-access, block-transfer-with-get-or-read`},
		{"snrm form unknown", "", "workarounds = { snrm_parameters = \"no\" }", "", "request[0].workarounds.snrm_parameters", `request "r": workarounds.snrm_parameters = "no": allowed are "auto", "always" and "never"`},
		{"list_max out of range", "", "workarounds = { list_max = 0 }", "", "request[0].workarounds.list_max", `request "r": workarounds.list_max = 0: out of range: 1 to 127 is allowed`},
		{"layout unknown", "", `layout = "narrow"`, "", "request[0].layout", `request "r": layout = "narrow": allowed are "obis" and "wide"`},
		{"measurement taken", "", `measurement = "dlms_cosem_status"`, "", "request[0].measurement", `request "r": measurement = "dlms_cosem_status": this name belongs to the status metrics`},
		{"time zone unknown", `meter_timezone = "Mars/Olympus"`, "", "", "meter_timezone", `meter_timezone = "Mars/Olympus": not a time zone: "Local", "UTC" or a name like "Europe/Berlin" is expected`},
		{"deviation unknown", "", `deviation = "reversed"`, "", "request[0].deviation", `request "r": deviation = "reversed": allowed are "auto", "standard", "inverted" and "ignore"`},
		{"tag reserved", "", `tags = { unit = "x" }`, "", "request[0].tags.unit", `request "r": tags.unit = "x": this tag belongs to the plugin: choose another name`},
		{"tag empty", "", `tags = { site = "" }`, "", "request[0].tags.site", `request "r": tags.site = "": a tag cannot be empty: give it a value or remove it`},
		{"tag without name", "", `tags = { "" = "x" }`, "", `request[0].tags.""`, `request "r": tags."" = "x": a tag needs a name`},
		{"tag time", "", `tags = { time = "x" }`, "", "request[0].tags.time", `request "r": tags.time = "x": databases keep this name for the timestamp: choose another one`},
		{"OBIS missing", "", "", `name = "e"`, "request[0].item[0]", `request "r", item "e": obis: this key is required, e.g. "1.0.1.8.0.255"`},
		{"OBIS bad", "", "", `obis = "1.0.300.8.0.255"`, "request[0].item[0].obis", `request "r", item 1: obis = "1.0.300.8.0.255": not an OBIS code: value group C is "300", not a number from 0 to 255; write it like 1.0.1.8.0.255 or 1-0:1.8.0*255`},
		{"item name blank", "", "", `name = "  "` + "\n" + wellItem, "request[0].item[0].name", `request "r", item "  ": name = "  ": a name needs more than blanks`},
		{"class out of range", "", "", wellItem + "\nclass = 0", "request[0].item[0].class", `request "r", item 1: class = 0: out of range: 1 to 65535 is allowed`},
		{"attribute out of range", "", "", wellItem + "\nattribute = 128", "request[0].item[0].attribute", `request "r", item 1: attribute = 128: out of range: -128 to 127 is allowed`},
		{"attribute zero", "", "", wellItem + "\nattribute = 0", "request[0].item[0].attribute", `request "r", item 1: attribute = 0: attribute 0 stands for all attributes: give the number of one`},
		{"data type unknown", "", "", wellItem + "\ndata_type = \"int24\"", "request[0].item[0].data_type",
			`request "r", item 1: data_type = "int24": allowed are "auto", "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64", "string", "hex", "bcd", "datetime", "date", "time", "bits", "enum" and "raw"`},
		{"element zero", "", "", wellItem + "\nelement = \"0\"", "request[0].item[0].element", `request "r", item 1: element = "0": not an element: "2", or "2.1" for the first element of the second one, is expected (counted from 1)`},
		{"element number", "", "", wellItem + "\nelement = 2.1", "request[0].item[0].element", `request "r", item 1: element = 2.1: a path has to stand in quotes, as a number may lose a zero: "2.1"`},
		{"element list", "", "", wellItem + "\nelement = [2]", "request[0].item[0].element", `request "r", item 1: element = [2]: not an element: "2", or "2.1" for the first element of the second one, is expected (counted from 1)`},
		{"scaler out of range", "", "", wellItem + "\nscaler = 200", "request[0].item[0].scaler", `request "r", item 1: scaler = 200: out of range: -128 to 127 is allowed`},
		{"scaler without effect", "", "", wellItem + "\nscaler = 1\napply_scaler = false", "request[0].item[0].scaler", `request "r", item 1: scaler = 1: with apply_scaler = false it has no effect: remove one of the two`},
		{"unit too long", "", "", wellItem + "\nunit = \"" + long + "\"", "request[0].item[0].unit", `request "r", item 1: unit = "` + long + `": too long for a unit (at most 64 octets)`},
		{"scale without unit", "", "", wellItem + "\nscale = 0.001", "request[0].item[0].scale", `request "r", item 1: scale = 0.001: it changes the unit, so "unit" has to be given too: kWh must not be called Wh`},
		{"scale zero", "", "", wellItem + "\nunit = \"x\"\nscale = 0", "request[0].item[0].scale", `request "r", item 1: scale = 0: a number other than 0 is expected, e.g. 0.001`},
		{"scale text", "", "", wellItem + "\nunit = \"x\"\nscale = \"2\"", "request[0].item[0].scale", `request "r", item 1: scale = "2": a number is expected, e.g. 0.001`},
		{"timestamp unknown", "", "", wellItem + "\ntimestamp = \"now\"", "request[0].item[0].timestamp", `request "r", item 1: timestamp = "now": allowed are "run" and "meter"`},
		{"timestamp without capture time", "", "", wellItem + "\nclass = 3\ntimestamp = \"meter\"", "request[0].item[0].timestamp", `request "r", item 1: timestamp = "meter": class 3 has no capture time: classes 4 and 5 and the clock (class 8) have one`},
		{"timestamp in a wide metric", "layout = \"wide\"", "", wellItem + "\nclass = 4\ntimestamp = \"meter\"", "request[0].item[0].timestamp", `request "r", item 1: timestamp = "meter": a metric of layout = "wide" has one time for all its items: use layout = "obis" for this one`},
		{"item names twice", "", "", "name = \"e\"\n" + wellItem + "\n[[inputs.dlms_cosem.request.item]]\nname = \"e\"\nobis = \"1.0.2.8.0.255\"", "request[0].item[1].name", `request "r", item "e": name = "e": another item of this request has this name`},
		{"items alike without names", "", "", wellItem + "\nelement = 1\n[[inputs.dlms_cosem.request.item]]\n" + wellItem + "\nelement = 2", "request[0].item[1].obis", `request "r", item 2: obis = "1.0.1.8.0.255": item 1 reads the same attribute: give both a name, so that they can be told apart`},
		{"wide fields collide", "layout = \"wide\"", "", "name = \"e\"\n" + wellItem + "\n[[inputs.dlms_cosem.request.item]]\nname = \"e_text\"\nobis = \"1.0.2.8.0.255\"", "request[0].item[1].name", `request "r", item "e_text": name = "e_text": with layout = "wide" its field "e_text" may also be written by item "e": choose another name`},
	}
}

func TestMistakes(t *testing.T) {
	for _, m := range mistakes() {
		t.Run(m.name, func(t *testing.T) {
			above := m.top
			switch {
			case above == "-":
				above = ""
			case !strings.Contains(above, "endpoint"):
				above += "\n" + top
			}
			item := m.item
			if item == "" {
				item = wellItem
			}
			request := m.request
			if !strings.Contains(request, "name =") {
				request += "\nname = \"r\""
			}
			d := decodeConf(t, "[[inputs.dlms_cosem]]\n"+above+"\n[[inputs.dlms_cosem.request]]\n"+request+"\n[[inputs.dlms_cosem.request.item]]\n"+item+"\n")
			err := d.Init()
			require.Error(t, err)
			all := configErrors(err)
			require.Len(t, all, 1, "%v", err)
			require.Equal(t, m.message, all[0].Error())
			require.Equal(t, m.path, all[0].ConfigPath())
			require.Nil(t, d.Plan())
		})
	}
}

// configErrors takes a joined error apart.
func configErrors(err error) (list []*ConfigError) {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return nil
	}
	for _, e := range joined.Unwrap() {
		var c *ConfigError
		if errors.As(e, &c) {
			list = append(list, c)
		}
	}
	return list
}

func TestWholeFileMistakes(t *testing.T) {
	d := decodeConf(t, "[[inputs.dlms_cosem]]\n"+top+"\n")
	require.EqualError(t, d.Init(), "request: no requests: at least one [[inputs.dlms_cosem.request]] is needed")

	d = decodeConf(t, "[[inputs.dlms_cosem]]\n"+top+"\n[[inputs.dlms_cosem.request]]\nname = \"r\"\n")
	require.EqualError(t, d.Init(), `request "r": item: no items: a request needs at least one [[inputs.dlms_cosem.request.item]]`)

	d = decodeConf(t, conf(top, `name = "a"`, `name = "a"`, `name = ""`))
	require.EqualError(t, d.Init(), "request \"a\": name = \"a\": another request has this name\nrequest 3: name: this key is required: it tells the requests apart")

	d = decodeConf(t, conf(top+"\nlink = \"x\"", "name = \"a\"\nmethod = \"x\"", "name = \"b\"\nretries = -2"))
	var paths []string
	for _, e := range configErrors(d.Init()) {
		paths = append(paths, e.Path)
	}
	require.Equal(t, []string{"link", "request[0].method", "request[1].retries"}, paths, "all at once, in the order of the file")
}

// TestKeysAmongTags has keys below the tags, where TOML makes tags of them.
func TestKeysAmongTags(t *testing.T) {
	keys := valueKeys(reflect.TypeFor[Request]())
	require.Subset(t, keys, []string{"interval", "method", "timeout", "framing", "endpoint", "client_address", "physical_address", "password", "reply_timeout", "name", "meter"})
	require.NotContains(t, keys, "item", "no such table can get among the tags")
	require.NotContains(t, keys, "")

	below := func(tags ...string) string {
		return "name = \"x\"\n[inputs.dlms_cosem.request.tags]\n" + strings.Join(tags, "\n")
	}
	const advice = `: in TOML a key that stands below [inputs.dlms_cosem.request.tags] belongs to the tags; put it above`
	d, j := plugin(t, nil, conf(top, below(`interval = "15m"`, `site = "north"`, `item = "x"`), "name = \"y\"\ninterval = \"15m\""))
	require.NoError(t, d.Init())
	require.Equal(t, []string{
		`W! request "x": tag "interval" has the name of a key` + advice,
	}, j.at(""))
	require.Equal(t, "15m", d.requests[0].tags["interval"], "still a tag")

	d, j = plugin(t, nil, conf("framing = \"hdlc\"", below(`endpoint = "tcp://h:1"`)))
	require.EqualError(t, d.Init(), `request "x": endpoint: this key is required: supported are tcp://HOST:PORT, udp://HOST:PORT, file:///dev/ttyUSB0 or file://COM3 for serial ports, rfc2217://HOST:PORT for those of serial servers, and tcp-listen://ADDR:PORT and udp-listen://ADDR:PORT for meters that push or dial in`)
	require.Equal(t, []string{`W! request "x": tag "endpoint" has the name of a key` + advice}, j.at(""), "beside the mistake that came of it")

	d, _ = plugin(t, nil, conf(top, below(`password = "SeSaMe42"`)))
	require.EqualError(t, d.Init(), `request "x": tags.password: a secret would stand in every metric: keys below [inputs.dlms_cosem.request.tags] are tags; put the password above that line`)

	for _, key := range valueKeys(reflect.TypeFor[Request]()) {
		if key == "password" {
			continue
		}
		d, j = plugin(t, nil, conf(top, below(key+` = "v"`)))
		if err := d.Init(); key == "name" || key == "meter" {
			require.EqualError(t, err, `request "x": tags.`+key+` = "v": this tag belongs to the plugin: choose another name`)
			require.Empty(t, j.at(""))
		} else {
			require.NoError(t, err)
			require.Len(t, j.at("W! "), 1, key)
		}
	}
}

// TestFieldTypes has requests that would write one field with two types.
func TestFieldTypes(t *testing.T) {
	item := func(name string) string {
		return "[[inputs.dlms_cosem.request.item]]\nname = \"" + name + "\"\nobis = \"1.0.2.8.0.255\"\n"
	}
	wide := func(name, item string) string {
		return "[[inputs.dlms_cosem.request]]\nname = \"" + name + "\"\nlayout = \"wide\"\n" + item
	}
	head := "[[inputs.dlms_cosem]]\n" + top + "\n"
	require.EqualError(t, decodeConf(t, head+wide("a", item("e"))+wide("b", item("e_text"))).Init(),
		`request "b", item "e_text": name = "e_text": its field "e_text" is a number here, but a text in request "a", which has the same measurement: choose another name, or another measurement`)
	require.EqualError(t, decodeConf(t, head+"measurement = \"m\"\n"+wide("a", item("flag"))+"[[inputs.dlms_cosem.request]]\nname = \"b\"\n"+item("e")).Init(),
		`request "b": measurement = "m": its field "flag" is a boolean here, but a number in request "a": choose another measurement`)
	require.EqualError(t, decodeConf(t, head+wide("a", item("time"))).Init(),
		`request "a", item "time": name = "time": with layout = "wide" it is the name of a field, and databases keep this one for the timestamp: choose another name`)
	require.NoError(t, decodeConf(t, head+wide("a", item("e"))+wide("b", item("e"))).Init(), "the same field with the same types")
	require.NoError(t, decodeConf(t, head+wide("a", item("text"))+"[[inputs.dlms_cosem.request]]\nname = \"b\"\n"+item("e")).Init(), "another measurement")
}

func TestSecretsAreNeverShown(t *testing.T) {
	d := decodeConf(t, conf(top+"\npassword = \"SeSaMe42\"", "name = \"a\"\npassword = \"hex:SeSaMe\"\nauthentication = \"low\""))
	err := d.Init()
	require.Error(t, err)
	require.NotContains(t, err.Error(), "SeSaMe")
	require.NotContains(t, fmt.Sprintf("%v %+v %#v %s", d.Settings.Password, d.Request[0].Password, d.Request[0].Password, d.Request[0].Password), "SeSaMe")
}

func TestSecret(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	require.NoError(t, os.WriteFile(file, []byte("first\n"), 0o600))
	t.Setenv("DLMS_TEST_SECRET", "from env")
	for _, c := range []struct{ source, want string }{
		{"plain", "plain"},
		{"with:colon", "with:colon"},
		{"", ""},
		{"text:hex:12", "hex:12"},
		{"hex:31 32:33", "123"},
		{"env:DLMS_TEST_SECRET", "from env"},
		{"file:" + file, "first"},
	} {
		var s Secret
		require.NoError(t, s.UnmarshalText([]byte(c.source)))
		require.True(t, s.Set())
		got, err := s.Get()
		require.NoError(t, err, c.source)
		require.Equal(t, c.want, string(got), c.source)
	}
	var s Secret
	require.False(t, s.Set())
	require.NoError(t, s.UnmarshalText([]byte("file:"+file)))
	require.NoError(t, os.WriteFile(file, []byte("second\r\n"), 0o600))
	got, err := s.Get()
	require.NoError(t, err)
	require.Equal(t, "second", string(got), "read again")
	require.NoError(t, os.WriteFile(file, make([]byte, maxSecret+1), 0o600))
	_, err = s.Get()
	require.ErrorContains(t, err, "too long for a password")
}

// TestInheritForgetsNothing sets each field in turn: a request without it takes
// it from the top, a request with it keeps its own.
func TestInheritForgetsNothing(t *testing.T) {
	typ := reflect.TypeFor[Settings]()
	keys := map[string]bool{}
	for i := range typ.NumField() {
		f := typ.Field(i)
		key := f.Tag.Get("toml")
		require.NotEmpty(t, key, f.Name)
		require.False(t, keys[key], key)
		keys[key] = true
		var above, own, none Settings
		fill(t, reflect.ValueOf(&above).Elem().Field(i), 1)
		fill(t, reflect.ValueOf(&own).Elem().Field(i), 2)
		kept := own
		none.inherit(&above)
		require.Equal(t, above, none, "%s is not inherited", f.Name)
		own.inherit(&above)
		require.Equal(t, kept, own, "%s is not kept", f.Name)
		require.True(t, above.sets(key))
	}
}

func fill(t *testing.T, v reflect.Value, n int) {
	switch p := v.Addr().Interface().(type) {
	case *string:
		*p = fmt.Sprint("x", n)
	case **int:
		*p = &n
	case **bool:
		b := n == 1
		*p = &b
	case *Duration:
		require.NoError(t, p.UnmarshalText([]byte(fmt.Sprintf("%ds", n))))
	case *Number:
		require.NoError(t, p.UnmarshalText([]byte(fmt.Sprint(n))))
	case *Secret:
		require.NoError(t, p.UnmarshalText([]byte(fmt.Sprint(n))))
	case *any:
		*p = []any{int64(n)}
	case *[]string:
		*p = []string{fmt.Sprint(n)}
	case *Workarounds:
		for i := range v.NumField() {
			fill(t, v.Field(i), n)
		}
	default:
		require.Fail(t, "a type that this test does not know", "%T", p)
	}
}

func TestDefaultsAndPresets(t *testing.T) {
	d := decodeConf(t, conf(top, `name = "a"`, "name = \"b\"\nlink = \"gsm\"", "name = \"c\"\nlink = \"nbiot\"\nreply_timeout = \"7s\"\nretries = 0"))
	require.NoError(t, d.Init())
	a, b, c := d.requests[0], d.requests[1], d.requests[2]
	require.Equal(t, []time.Duration{5 * time.Second, 5 * time.Second, 30 * time.Second}, []time.Duration{a.replyTimeout, a.connectTimeout, a.timeout})
	require.Equal(t, []time.Duration{30 * time.Second, 30 * time.Second, 3 * time.Minute}, []time.Duration{b.replyTimeout, b.connectTimeout, b.timeout})
	require.Equal(t, []time.Duration{7 * time.Second, 60 * time.Second, 10 * time.Minute}, []time.Duration{c.replyTimeout, c.connectTimeout, c.timeout})
	require.Equal(t, 2, a.connConfig(a.devices[0], &memory{}).Retries)
	require.Equal(t, -1, c.connConfig(c.devices[0], &memory{}).Retries)
	require.Equal(t, uint16(16), a.client)
	require.Equal(t, "a", a.meter)
}

func TestPlan(t *testing.T) {
	d := decodeConf(t, conf("endpoint = \"TCP://Meter:07000\"\nframing = \"hdlc\"", "name = \"a\"\nphysical_address = [17, 300]", "name = \"b\"\nendpoint = \"tcp://meter:7000\"\nmethod = \"polling\"\ninterval = \"15m\"\nauthentication = \"low\"\npassword = \"12345678\"", "name = \"c\"\nendpoint = \"udp://other:1\"\nframing = \"auto\"\nenabled = false"))
	require.NoError(t, d.Init())
	plan := d.Plan()
	require.Len(t, plan, 3)
	require.Equal(t, plan[0].Link, plan[1].Link, "the same endpoint is the same link")
	require.Equal(t, "tcp://meter:7000", plan[0].Link)
	require.Equal(t, []string{"17", "300"}, plan[0].Addresses)
	require.Equal(t, "hdlc", plan[0].Framing)
	require.Equal(t, "gather", plan[0].Method)
	require.Equal(t, uint16(32), plan[1].Client)
	require.Equal(t, "low", plan[1].Login)
	require.False(t, plan[2].Enabled)
	now := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	require.Empty(t, plan[0].Next(now, 5))
	require.Equal(t, []time.Time{now, now.Add(15 * time.Minute)}, plan[1].Next(now, 2))
	require.Equal(t, []PlannedItem{{OBIS: "1.0.1.8.0.255", Class: 3, ClassName: plan[0].Items[0].ClassName, Attribute: 2}}, plan[0].Items)
	require.Len(t, d.newLinks(nil, nil), 1, "one goroutine for both; none for what is not enabled")
}

// TestSampleConfig keeps the three copies of the sample equal, and the sample
// right, with all keys in it.
func TestSampleConfig(t *testing.T) {
	root, err := os.ReadFile("../../../sample.conf")
	require.NoError(t, err)
	require.Equal(t, string(root), sampleConfig)
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	_, rest, ok := strings.Cut(string(readme), "```toml @sample.conf\n")
	require.True(t, ok)
	block, _, ok := strings.Cut(rest, "```")
	require.True(t, ok)
	require.Equal(t, sampleConfig, block)

	d := decodeConf(t, sampleConfig)
	require.NoError(t, d.Init())
	require.Equal(t, sampleConfig, d.SampleConfig())
	var all strings.Builder
	for line := range strings.SplitSeq(sampleConfig, "\n") {
		if trimmed := strings.TrimSpace(line); strings.HasPrefix(trimmed, "# ") && !strings.Contains(line, `= ""`) {
			line = strings.TrimLeft(strings.Replace(trimmed, "# ", "", 1), " ")
		}
		all.WriteString(line + "\n")
	}
	d = decodeConf(t, strings.Replace(all.String(), "Read electricity", "# Read electricity", 1))
	require.NotEmpty(t, d.Request[0].Tags)
	require.Len(t, d.Request[0].Profile, 1)
	for _, typ := range []reflect.Type{reflect.TypeFor[Settings](), reflect.TypeFor[DLMS](), reflect.TypeFor[Request](), reflect.TypeFor[Item](), reflect.TypeFor[Profile]()} {
		for i := range typ.NumField() {
			if key := typ.Field(i).Tag.Get("toml"); key != "" && key != "item" && key != "tags" && key != "request" && key != "profile" && key != "-" {
				require.Regexp(t, `(?m)^\s*(#\s+)?`+key+` = `, sampleConfig, "the sample does not tell about %s", key)
			}
		}
	}
}
