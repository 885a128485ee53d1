package dlms_cosem

import (
	"context"
	"errors"
	"net"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest/fault"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// hintCase is a symptom: what a meter does, and the result and advice that are
// reported.
type hintCase struct {
	name   string
	top    string
	host   *host
	result string
	want   []string
}

const withPassword = top + "\nauthentication = \"low\"\npassword = \"87654321\""

func hdlcHost(t *testing.T, f *dlmstest.Faults) *host {
	return &host{meter: faulty(t, "[server]\nframing = \"hdlc\"\n"+energyMeter, f)}
}

func wrapperHost(t *testing.T, f *dlmstest.Faults) *host {
	return &host{meter: faulty(t, energyMeter, f)}
}

// rejecting refuses associations with a diagnostic.
func rejecting(t *testing.T, code uint8) *host {
	return wrapperHost(t, &dlmstest.Faults{RejectAssociation: -1, RejectDiagnostic: acse.Diagnostic{Source: acse.ServiceUser, Code: code}})
}

// denying answers the item with a result.
func denying(t *testing.T, result string) *host {
	return &host{meter: meter(t, "[[object]]\nclass = 3\nobis = \"1.0.1.8.0.255\"\nresult = \""+result+"\"\nscaler = 0\nunit = \"Wh\"\n")}
}

// saying answers each APDU of a kind with the same octets.
func saying(t *testing.T, to xdlms.APDUTag, reply ...byte) *host {
	return wrapperHost(t, &dlmstest.Faults{Raw: func(apdu []byte) ([]byte, bool) { return reply, xdlms.APDUTag(apdu[0]) == to }})
}

// TestHints provokes errors of the link and of the login with a meter, and
// looks for the result and the advice in what is reported.
func TestHints(t *testing.T) {
	dialError := func(err error) *host {
		return &host{err: &net.OpError{Op: "dial", Net: "tcp", Err: err}}
	}
	echo := fault.Plan{Write: []fault.Fault{{Echo: true, Drop: true}}}
	provoke(t, []hintCase{
		{"silence", hdlcTop, &host{mute: true}, "timeout", []string{"SNRM: no answer within", "nothing was received", "nobody answers: check physical_address, logical_address and address_size"}},
		{"silence on the wrapper", top, &host{mute: true}, "timeout", []string{"AARQ: no answer within", "nobody answers: check logical_address and client_address"}},
		{"echo", hdlcTop, &host{mute: true, plan: echo}, "timeout", []string{"only our own message came back (echo)", "check the wiring behind the adapter"}},
		{"busy", hdlcTop, hdlcHost(t, &dlmstest.Faults{DMOnSNRM: -1}), "busy", []string{"DM", "end the other client, or wait until the meter forgets an old session"}},
		{"wrong password", withPassword, rejecting(t, 13), "auth", []string{"authentication failure (diagnostic 13)", "check password and client_address; further attempts are slowed down because meters lock"}},
		{"refused without reason", top, rejecting(t, 1), "auth", []string{"diagnostic 1)", "usual ones are a wrong password or client_address"}},
		{"other mechanism", withPassword, rejecting(t, 11), "auth", []string{"usual pairs are 16 with none, 32 with low and 1 with high-gmac"}},
		{"password needed", top, rejecting(t, 12), "refused", []string{`set authentication = "low" and password`}},
		{"high-level security", top, rejecting(t, 14), "auth", []string{"this client_address needs high-level security"}},
		{"other context", top, rejecting(t, 2), "refused", []string{"set referencing to the other one", "it wants ciphered messages"}},
		{"denied", top, denying(t, "read-write-denied"), "access", []string{"read-write-denied (data-access-result 3)", "the public client 16 sees little): try another client_address or authentication"}},
		{"undefined", top, denying(t, "object-undefined"), "access", []string{"object-undefined (data-access-result 4)", "the public client 16 sees little): try another client_address or authentication"}},
		{"other class", top, denying(t, "object-class-inconsistent"), "access", []string{"object-class-inconsistent (data-access-result 9)", "set class"}},
		{"temporary", top, denying(t, "temporary-failure"), "access", []string{"try again later"}},
		{"HDLC on a wrapper link", top, wrapperHost(t, &dlmstest.Faults{Noise: []byte{0x7E, 0xA0, 0x07, 0x03, 0x21, 0x93, 0x0F, 0x01, 0x7E}}), "protocol", []string{"saw an HDLC frame", `set framing = "hdlc"`}},
		{"wrapper on an HDLC link", hdlcTop, &host{mute: true, reply: []byte{0, 1, 0, 1, 0, 16, 0, 2, 0x61, 0}}, "protocol", []string{"saw a wrapper header", `set framing = "wrapper"`}},
		{"refused by the host", top, nil, "connect", []string{"cannot connect to 10.0.0.5:4059: connect: connection refused", "nothing listens on this port"}},
		{"unknown host", top, dialError(&net.DNSError{Err: "no such host", Name: "meter", IsNotFound: true}), "connect", []string{"the host name is not known"}},
		{"no route", top, dialError(syscall.EHOSTUNREACH), "connect", []string{"there is no way to this host"}},
		{"host does not answer", top, &host{hang: true}, "connect", []string{"the host does not answer"}},
		{"connection closed", top, wrapperHost(t, &dlmstest.Faults{CloseOnRequest: -1}), "connect", []string{"is another client connected?"}},
		{"damaged frames", hdlcTop, hdlcHost(t, &dlmstest.Faults{WrongFCS: -1}), "timeout", []string{"frames arrive damaged"}},
	})
}

// TestHintsOfAnswers does so with answers.
func TestHintsOfAnswers(t *testing.T) {
	provoke(t, []hintCase{
		{"frames not understood", hdlcTop, hdlcHost(t, &dlmstest.Faults{FRMROnRequest: -1}), "protocol", []string{"FRMR", "check address_size"}},
		{"silence after the login", top, wrapperHost(t, &dlmstest.Faults{IgnoreRequests: -1}), "timeout", []string{"nothing was received", "the meter fell silent"}},
		{"answer lost", hdlcTop, hdlcHost(t, &dlmstest.Faults{LoseAnswers: -1}), "timeout", []string{"GET", "raise reply_timeout"}},
		{"answer that does not end", top, &host{mute: true, reply: []byte{0, 1, 0, 1, 0, 16, 0, 40, 0x61, 0x29}}, "timeout", []string{"an answer began but did not end"}},
		{"answers of before", top, wrapperHost(t, &dlmstest.Faults{WrongInvokeID: -1}), "timeout", []string{"what arrives answers other requests"}},
		{"parity garbage", hdlcTop, &host{mute: true, reply: []byte{0xFC, 0x60, 0x0E, 0x06, 0x43, 0x26, 0x1F, 0x02, 0xFC}}, "timeout", []string{"what arrives is no frame", "speed and parity at the serial server"}},
		{"text", top, &host{mute: true, reply: []byte("HTTP/1.1 400 Bad Request\r\n")}, "protocol", []string{"this is no meter: check host and port"}},
		{"sizes refused", top, saying(t, xdlms.TagAARQ, 0x0E, 1, 6, 3), "refused", []string{"pdu-size-too-short", "services and PDU size it takes"}},
		{"keys not accepted", top, saying(t, xdlms.TagAARQ, 0x0E, 1, 0, 6), "refused", []string{"deciphering-error", "check encryption_key, authentication_key and client_address"}},
		{"garbage for an answer to the login", top, saying(t, xdlms.TagAARQ, 0xDE, 0xAD), "protocol", []string{"this is no answer to a login"}},
		{"association lost", top, saying(t, xdlms.TagGetRequest, 0xD8, 1, 1), "refused", []string{"service-not-allowed", "the next run logs in again"}},
		{"answer too long for the meter", top, saying(t, xdlms.TagGetRequest, 0xD8, 2, 4), "refused", []string{"read fewer or smaller items per request"}},
		{"ciphering wanted", top, saying(t, xdlms.TagGetRequest, 0xD8, 2, 5), "refused", []string{"the meter wants ciphered messages"}},
		{"service unknown", top, saying(t, xdlms.TagGetRequest, 0xD8, 2, 2), "refused", []string{"the meter does not support this service"}},
		{"no gateway", top + "\ngateway_device = \"1234\"", wrapperHost(t, nil), "refused", []string{"network 0, device 31323334", "there is no gateway", "check gateway_network and gateway_device"}},
		{"another station", hdlcTop + "\nphysical_address = 18", &host{meter: faulty(t, "[server]\nframing = \"hdlc\"\nphysical_addresses = [17]\n"+energyMeter, nil)}, "timeout", []string{"nobody answers: check physical_address"}},
		{"short names", top, &host{meter: faulty(t, "[server]\nreferencing = \"sn\"\n"+energyMeter, nil)}, "refused", []string{`"sn" for short names`}},
		{"hardware fault", top, denying(t, "hardware-fault"), "access", []string{"a fault of its own"}},
		{"unavailable", top, denying(t, "object-unavailable"), "access", []string{"not to be had"}},
		{"broken answers", top, wrapperHost(t, &dlmstest.Faults{NestedArrays: 1000}), "protocol", []string{"breaks the rules"}},
	})
}

// provoke runs a request on each.
func provoke(t *testing.T, cases []hintCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNetwork(t)
				n.set("", c.host)
				d, _ := plugin(t, n, conf(c.top, `name = "r"`))
				require.NoError(t, d.Init())
				acc := &sink{}
				_, err := d.RunOnce(context.Background(), acc, "")
				require.NoError(t, err)
				require.Equal(t, []string{c.result}, acc.results(), "%v", acc.errors())
				require.Len(t, acc.errors(), 1)
				for _, w := range c.want {
					require.Contains(t, acc.errors()[0], w)
				}
				require.Empty(t, acc.values(), "no value without an answer")
			})
		})
	}
}

func faulty(t *testing.T, text string, f *dlmstest.Faults) *dlmstest.Meter {
	m := meterConfig(t, text)
	m.cfg.Faults = f
	return dlmstest.NewMeter(m.cfg, m.objects)
}

// TestHintTexts covers what no meter of ours does.
func TestHintTexts(t *testing.T) {
	at := cosem.Attribute{Class: cosem.Register, ID: 2}
	for _, c := range []struct {
		err  error
		want string
	}{
		{nil, ""},
		{errors.New("x"), ""},
		{&dlms.TimeoutError{Op: "GET", Received: 0}, "the meter fell silent"},
		{&dlms.TimeoutError{Op: "GET", Received: 9, NotReady: true}, "the meter is not ready"},
		{&dlms.TimeoutError{Op: "SNRM", Received: 9}, "something answers, but not this meter"},
		{&dlms.TimeoutError{Op: "GET", Received: 9}, "what arrives answers other requests"},
		{&dlms.TimeoutError{Op: "GET", Received: 9, Acknowledge: true}, "the meter took the request"},
		{&dlms.TimeoutError{Op: "GET", Received: 9, Noise: []byte{0, 1, 0, 1}}, "an answer began but did not end"},
		{&budgetError{err: context.DeadlineExceeded, stats: dlms.Stats{Dropped: 2}}, "no other client uses the line"},
		{&budgetError{err: context.DeadlineExceeded}, "raise timeout"},
		{&dlms.RejectError{Result: acse.RejectedPermanent, Diagnostic: acse.Diagnostic{Source: acse.ServiceUser, Code: 13}, ServiceError: &xdlms.ConfirmedServiceError{Service: 1, Class: 6}}, "check password"},
		{&dlms.TimeoutError{Op: "GET", Received: 9, Noise: []byte{1}}, "what arrives is no frame"},
		{&dlms.DisconnectedError{Op: "GET", Mode: "FRMR"}, "did not understand a frame"},
		{&dlms.DisconnectedError{Op: "GET"}, ""},
		{&dlms.RejectError{Result: acse.RejectedPermanent, Diagnostic: acse.Diagnostic{Source: acse.ServiceProvider, Code: 1}}, "check client_address and logical_address"},
		{&dlms.RejectError{Result: acse.RejectedPermanent, Diagnostic: acse.Diagnostic{Source: acse.ServiceUser, Code: 7}}, "check client_address and authentication"},
		{&dlms.RejectError{ServiceError: &xdlms.ConfirmedServiceError{Service: 1, Class: 6, Code: 3}}, "PDU size"},
		{&dlms.ExceptionError{Response: xdlms.ExceptionResponse{State: 2, Service: 4}}, "read fewer or smaller items"},
		{&dlms.ExceptionError{Response: xdlms.ExceptionResponse{State: 1, Service: 1}}, "the next run logs in again"},
		{&dlms.ExceptionError{Response: xdlms.ExceptionResponse{State: 2, Service: 2}}, "does not support"},
		{&dlms.FramingError{Want: dlms.Wrapper, Seen: "text"}, "this is no meter"},
		{&dlms.FramingError{Want: dlms.HDLC, Seen: "neither"}, "check framing"},
		{&dlms.AccessError{Attribute: at, Result: xdlms.ObjectUnavailable}, "not to be had"},
		{&dlms.AccessError{Attribute: at, Result: xdlms.HardwareFault}, "a fault of its own"},
		{&dlms.AccessError{Attribute: at, Result: xdlms.OtherReason}, ""},
		{net.ErrClosed, "whether another client took the meter"},
		{&net.OpError{Op: "read", Net: "udp", Err: syscall.Errno(10061)}, "nothing listens on this UDP port"},
		{&net.OpError{Op: "read", Net: "udp", Err: net.ErrClosed}, "whether another client took the meter"},
		{&net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}, "whether another client took the meter"},
	} {
		if c.want == "" {
			require.Empty(t, Hint(c.err))
		} else {
			require.Contains(t, Hint(c.err), c.want)
		}
	}
}

func TestResultNames(t *testing.T) {
	want := []string{"success", "partial", "timeout", "connect", "refused", "auth", "decrypt", "access", "protocol", "busy", "backoff"}
	for i, w := range want {
		require.Equal(t, w, result(i).String())
	}
	require.Equal(t, "unknown(0x5a)", result(0x5a).String())
}
