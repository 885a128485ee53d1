package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
)

// A mistake is a secret of ours that is wrong.
type mistake struct {
	name string
	make func(l *link)
}

// mistakes opens with each secret that matters made wrong, which the meter has to
// refuse, and then with the right ones again.
func mistakes(ctx context.Context, e *environment) (refused []string, err error) {
	p := e.link.secure
	var list []mistake
	if p.secret() {
		list = append(list, mistake{"secret", func(l *link) { l.password = "87654321" }})
	}
	if p.control != 0 || p.gmac() {
		list = append(list, mistake{"encryption key", func(l *link) { l.secure.keys.EncryptionKey = altered(l.secure.keys.EncryptionKey) }})
	}
	if p.control&security.Authenticated != 0 || p.gmac() {
		list = append(list, mistake{"authentication key", func(l *link) { l.secure.keys.AuthenticationKey = altered(l.secure.keys.AuthenticationKey) }})
	}
	if p.mechanism == acse.HLSECDSA {
		list = append(list, mistake{"signing key", func(l *link) { l.secure.public.Signing = l.secure.public.Agreement }})
	}
	for _, m := range list {
		l, wrong := e.link, *p
		l.secure = &wrong
		m.make(&l)
		s, err := l.open(ctx, 0)
		p.counter = wrong.counter
		if err == nil {
			return nil, errors.Join(fmt.Errorf("a wrong %s was accepted", m.name), s.close(ctx))
		}
		how, err := refusal(err, m.name == "secret" && p.mechanism == acse.Low)
		if err != nil {
			return nil, fmt.Errorf("wrong %s: %w", m.name, err)
		}
		refused = append(refused, m.name+" ("+how+")")
	}
	s, err := e.link.open(ctx, 0)
	if err != nil {
		return nil, fmt.Errorf("right secrets after wrong ones: %w", err)
	}
	return refused, s.close(ctx)
}

// altered is a key of the same length that differs in one bit.
func altered(key []byte) []byte {
	key = bytes.Clone(key)
	key[0] ^= 1
	return key
}

// refusal says in short how a wrong secret was refused.
func refusal(err error, low bool) (string, error) {
	var r *dlms.RejectError
	var exception *dlms.ExceptionError
	switch {
	case !errors.As(err, &r):
		return "", fmt.Errorf("this is not reported as a refusal: %w", err)
	case low != (r.Diagnostic == acse.Diagnostic{Source: acse.ServiceUser, Code: 13}):
		return "", err
	case low:
		return "diagnostic 13", nil
	case r.Unproven:
		return "pass 3", nil
	case errors.As(err, &exception):
		return exception.Response.Service.String(), nil
	case r.Result != acse.Accepted:
		return fmt.Sprintf("result %d", r.Result), nil
	case strings.Contains(err.Error(), "null-data"):
		return "pass 3, null-data", nil // in short names, where there is no result
	default:
		return "", err
	}
}

// impostor is a meter that takes any answer to its challenge, and gives a wrong one to ours.
func impostor(ctx context.Context, e *environment) (string, error) {
	s, err := e.link.open(ctx, 0)
	if err == nil {
		return "", errors.Join(errors.New("a wrong answer to our challenge was accepted"), s.close(ctx))
	}
	var r *dlms.RejectError
	var security *dlms.SecurityError
	if !errors.As(err, &r) || !r.Unproven || !errors.As(err, &security) {
		return "", err
	}
	return security.Error(), nil
}

// lesser is a meter whose answers are not protected as the requests are.
func lesser(ctx context.Context, e *environment) (string, error) {
	s, err := e.link.open(ctx, 0)
	if err != nil {
		return "", err
	}
	defer func() { _ = s.conn.Close() }()
	list, err := everything(e.meter.Contents)
	if err != nil {
		return "", err
	}
	_, err = s.association.Get(ctx, list[0].attribute, nil)
	var security *dlms.SecurityError
	if !errors.As(err, &security) {
		return "", fmt.Errorf("an answer without the protection demanded: got %w", err)
	}
	return security.Err.Error(), nil
}
