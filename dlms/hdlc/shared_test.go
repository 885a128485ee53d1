package hdlc_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/hdlc"
)

// recording is a file of recorded telegrams or dialogs.
type recording struct {
	Framing string   `json:"framing"`
	Hex     []string `json:"hex"`
	Dialog  []struct {
		Dir    string `json:"dir"`
		Hex    string `json:"hex"`
		Frames []struct {
			FCS bool `json:"fcs_ok"`
		} `json:"frames"`
	} `json:"dialog"`
}

func recordings(t *testing.T, folder string) map[string]recording {
	t.Helper()
	root := os.Getenv("DLMS_SHARED")
	if root == "" {
		root = "../../../shared"
	}
	fsys := os.DirFS(root)
	files, err := fs.Glob(fsys, folder+"/*.json")
	require.NoError(t, err)
	if len(files) == 0 {
		t.Skip("no recordings: set DLMS_SHARED")
	}
	found := map[string]recording{}
	for _, file := range files {
		b, err := fs.ReadFile(fsys, file)
		require.NoError(t, err)
		var r recording
		require.NoError(t, json.Unmarshal(b, &r), file)
		if r.Framing == "hdlc" {
			found[path.Base(file)] = r
		}
	}
	require.NotEmpty(t, found)
	return found
}

func TestRecordedTelegrams(t *testing.T) {
	t.Parallel()
	for name, r := range recordings(t, "captures") {
		for _, s := range r.Hex {
			wire := unhex(t, s)
			frames, rest, errs := cutAll(t, wire)
			require.NotEmpty(t, frames, name)
			require.Empty(t, errs, name)
			require.Len(t, rest, 1, name)
			var again []byte
			for _, f := range frames {
				b, err := f.Append(nil)
				require.NoError(t, err)
				again = append(again, b...)
			}
			require.Equal(t, wire, again, name)
		}
	}
}

// TestRecordedDialogs lets a Link talk to a recorded meter: it must transmit
// the very octets of the recorded client, and understand each answer.
func TestRecordedDialogs(t *testing.T) {
	t.Parallel()
	for name, r := range recordings(t, "dialogs") {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var link *hdlc.Link
			for _, m := range r.Dialog {
				wire := unhex(t, m.Hex)
				if len(m.Frames) == 0 || !m.Frames[0].FCS {
					frames, _, _ := cutAll(t, wire)
					require.Empty(t, frames)
					continue
				}
				frames, rest, errs := cutAll(t, wire)
				require.Len(t, frames, 1)
				require.Empty(t, errs)
				require.Len(t, rest, 1)
				f := frames[0]
				if m.Dir == "client" {
					link = say(t, link, f, wire)
				} else if link != nil {
					hear(t, link, f)
				}
			}
		})
	}
}

// say makes the link transmit what the recorded client did. Dialogs without a
// beginning are not followed.
func say(t *testing.T, link *hdlc.Link, f hdlc.Frame, wire []byte) *hdlc.Link {
	t.Helper()
	kind := f.Control.Kind()
	switch {
	case kind == hdlc.SNRM:
		p, err := hdlc.ParseParameters(f.Info)
		require.NoError(t, err)
		link = hdlc.NewLink(hdlc.LinkConfig{Client: f.Source, Server: f.Destination, Proposal: p})
		out := link.AppendConnect(nil, len(f.Info) > 0)
		if len(f.Info) > 0 && !bytes.Equal(f.Info, p.Append(nil)) {
			// That client mixes both lengths of sizes.
			sent, _, err := hdlc.CutFrame(out)
			require.NoError(t, err)
			same, err := hdlc.ParseParameters(sent.Info)
			require.NoError(t, err)
			require.Equal(t, p, same)
			break
		}
		require.Equal(t, wire, out)
	case link == nil:
	case kind == hdlc.DISC:
		require.Equal(t, wire, link.AppendDisconnect(nil))
	case kind == hdlc.I:
		link.Send(f.Info[3:])
		out, ok := link.AppendPending(nil)
		require.True(t, ok)
		require.Equal(t, wire, out)
	default:
		require.Fail(t, "unexpected frame", f.Control)
	}
	return link
}

func hear(t *testing.T, link *hdlc.Link, f hdlc.Frame) {
	t.Helper()
	connected := link.Connected()
	ev, err := link.Receive(f)
	require.NoError(t, err)
	want := hdlc.EventMessage
	if f.Control.Kind() == hdlc.UA {
		want = hdlc.EventConnected
		if connected || !link.Connected() {
			want = hdlc.EventDisconnected
		}
	}
	require.Equal(t, want.String(), ev.String())
	if ev == hdlc.EventMessage {
		require.Equal(t, f.Info[3:], link.Message())
	}
}
