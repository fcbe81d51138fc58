package storetest

import (
	"slices"

	"github.com/lanyard-go/lanyard"
)

var listCases = []Case{
	{"List returns all records, newest first", check(func(b *bed) {
		var made []*lanyard.Record
		for i := range 30 {
			made = append(made, b.start([]string{"alice", "bob", "", "carol"}[i%4]))
		}
		b.end(lanyard.End{SID: made[3].SID})
		made[3] = b.get(made[3].SID)
		slices.Reverse(made)
		got := b.walk(lanyard.Query{})
		b.wantOrder("all records", got, made)
		for i := range min(len(got), len(made)) {
			b.wantSame("a listed record", got[i], made[i])
		}
	})},
	{"List orders by creation, whatever was first written", check(func(b *bed) {
		first, second, third := b.record("alice"), b.record("alice"), b.record("alice")
		for _, r := range []*lanyard.Record{second, third, first} {
			b.create(r, lanyard.Limit{})
		}
		b.end(lanyard.End{SID: third.SID})
		want := []*lanyard.Record{third, second, first}
		b.wantOrder("all records", b.walk(lanyard.Query{Limit: 1}), want)
		b.wantOrder("the subject's records", b.walk(lanyard.Query{Subject: "alice", Limit: 1}), want)
	})},
	{"List returns the records that match", check(listMatches)},
	{"List pages hold at most Limit records", check(func(b *bed) {
		var made []*lanyard.Record
		for i := range 120 {
			made = append(made, b.start([]string{"alice", "alice", "bob"}[i%3]))
		}
		slices.Reverse(made)
		alice := slices.DeleteFunc(slices.Clone(made), func(r *lanyard.Record) bool { return r.Subject != "alice" })
		for _, n := range []int{0, 1, 7, 40, 120, 5000} {
			b.wantOrder("all records", b.walk(lanyard.Query{Limit: n}), made)
			b.wantOrder("the subject's records", b.walk(lanyard.Query{Subject: "alice", Limit: n}), alice)
		}
		b.wantOrder("a sparse query", b.walk(lanyard.Query{Text: made[77].SID.String(), Limit: 2}), made[77:78])
	})},
	{"List shows what stays for the whole walk exactly once", check(func(b *bed) {
		var made []*lanyard.Record
		for range 20 {
			made = append(made, b.start("alice"))
		}
		slices.Reverse(made)
		for _, q := range []lanyard.Query{{Limit: 3}, {Subject: "alice", Limit: 3}} {
			var got []*lanyard.Record
			for range 10_000 {
				page, err := b.store.List(b.ctx, q)
				if err != nil {
					b.Fatalf("List: %v", err)
				}
				got = append(got, page.Records...)
				if q.After = page.Next; q.After == "" {
					break
				}
				// Between pages: new ones come, old ones are written and end.
				b.start("alice")
				b.update(b.get(made[1].SID))
				b.end(lanyard.End{SID: made[10].SID})
			}
			got = slices.DeleteFunc(got, func(r *lanyard.Record) bool {
				return compareSID(r.SID, made[0].SID) > 0
			})
			b.wantOrder("the walk", got, made)
		}
	})},
	{"List sets Fenced below the global epoch", check(func(b *bed) {
		old := b.start("alice")
		b.end(lanyard.End{All: true})
		young := b.start("alice")
		for _, q := range []lanyard.Query{{}, {Subject: "alice"}} {
			got := b.walk(q)
			b.wantOrder("all records", got, []*lanyard.Record{young, old})
			if len(got) == 2 && (got[0].Fenced || !got[1].Fenced) {
				b.Errorf("fenced: %v and %v, want only the older one", got[0].Fenced, got[1].Fenced)
			}
			q.LiveAt = now
			b.wantOrder("live records", b.walk(q), []*lanyard.Record{young})
		}
	})},
	{"List refuses a cursor it did not make", check(func(b *bed) {
		for range 5 {
			b.start("alice")
		}
		for _, q := range []lanyard.Query{{}, {Subject: "alice"}} {
			q.After = "' OR 1=1 --"
			if _, err := b.store.List(b.ctx, q); err == nil {
				b.Error("a made-up cursor was taken")
			}
		}
	})},
}

func listMatches(b *bed) {
	old := b.record("alice")
	old.Device = lanyard.Device{Label: "Kitchen Laptop", UserAgent: "Firefox/140", IP: "192.0.2.7"}
	b.create(old, lanyard.Limit{})
	token := b.fullToken()
	token.Device = lanyard.Device{Label: "phone 100%", UserAgent: "App/1_0", IP: "192.0.2.70"}
	token.LastActive = now
	b.create(token, lanyard.Limit{})
	bob := b.record("bob")
	bob.Device.IP = "2001:db8::7"
	b.create(bob, lanyard.Limit{})
	over := b.start("bob")
	b.end(lanyard.End{SID: over.SID})
	idled := b.record("ALICE")
	idled.IdleExpiresAt = now
	b.create(idled, lanyard.Limit{})
	nobody := b.start("")

	for _, c := range []struct {
		name  string
		query lanyard.Query
		want  []*lanyard.Record
	}{
		{"everything", lanyard.Query{}, []*lanyard.Record{old, token, bob, over, idled, nobody}},
		{"one subject", lanyard.Query{Subject: "alice"}, []*lanyard.Record{old, token}},
		{"a subject with nothing", lanyard.Query{Subject: "carol"}, nil},
		{"part of a subject", lanyard.Query{Subject: "ali"}, nil},
		{"a pattern for a subject", lanyard.Query{Subject: "%"}, nil},
		{"cookies", lanyard.Query{Channel: lanyard.ChannelCookie}, []*lanyard.Record{old, bob, over, idled, nobody}},
		{"tokens", lanyard.Query{Channel: lanyard.ChannelToken}, []*lanyard.Record{token}},
		{"an address", lanyard.Query{IP: "192.0.2.7"}, []*lanyard.Record{old}},
		{"part of an address", lanyard.Query{IP: "192.0.2"}, nil},
		{"part of a label", lanyard.Query{Device: "laptop"}, []*lanyard.Record{old}},
		{"part of a user agent", lanyard.Query{Device: "FIREFOX"}, []*lanyard.Record{old}},
		{"a percent sign in a device", lanyard.Query{Device: "%"}, []*lanyard.Record{token}},
		{"an underscore in a device", lanyard.Query{Device: "_"}, []*lanyard.Record{token}},
		{"text in a subject", lanyard.Query{Text: "LIC"}, []*lanyard.Record{old, token, idled}},
		{"text in an address", lanyard.Query{Text: "DB8"}, []*lanyard.Record{bob}},
		{"text in a label", lanyard.Query{Text: "phone 100%"}, []*lanyard.Record{token}},
		{"a whole SID", lanyard.Query{Text: over.SID.String()}, []*lanyard.Record{over}},
		{"part of a SID", lanyard.Query{Text: over.SID.String()[:25]}, nil},
		{"created before", lanyard.Query{CreatedBefore: bob.CreatedAt}, []*lanyard.Record{old, token}},
		{"active before", lanyard.Query{ActiveBefore: now}, []*lanyard.Record{old, bob, over, idled, nobody}},
		{"live", lanyard.Query{LiveAt: now}, []*lanyard.Record{old, token, bob, nobody}},
		{"live a moment earlier", lanyard.Query{LiveAt: now - 1}, []*lanyard.Record{old, token, bob, idled, nobody}},
		{"several fields", lanyard.Query{Subject: "alice", Channel: lanyard.ChannelCookie, LiveAt: now}, []*lanyard.Record{old}},
		{"fields that agree on nothing", lanyard.Query{Subject: "bob", Channel: lanyard.ChannelToken}, nil},
	} {
		b.wantRecords(c.name, b.walk(c.query), c.want...)
		c.query.Limit = 1
		b.wantRecords(c.name+", in pages of one", b.walk(c.query), c.want...)
	}
}

// wantOrder expects exactly these records in this order.
func (b *bed) wantOrder(what string, got, want []*lanyard.Record) {
	b.Helper()
	if !slices.EqualFunc(got, want, func(g, w *lanyard.Record) bool { return g.SID == w.SID }) {
		b.Errorf("%s:\n got %v\nwant %v", what, sids(got), sids(want))
	}
}

func sids(records []*lanyard.Record) []string {
	var out []string
	for _, r := range records {
		out = append(out, r.SID.String())
	}
	return out
}
