package main

import (
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/template"
	"time"
)

// report is the outcome of a run.
type report struct {
	Command  string
	Quick    bool
	Scale    bool // of a run with -scale
	Sections []section
	Facts    []fact
	Took     time.Duration
}

//go:embed report.md.tmpl
var reportTemplate string

//go:embed scale.md.tmpl
var scaleTemplate string

// What stands around the part of the page that a run with -scale writes and any
// other run keeps.
const (
	scaleBegin = "<!-- scale -->"
	scaleEnd   = "<!-- end of scale -->"
)

// scaleOf returns that part of a page, empty if there is none.
func scaleOf(page string) string {
	_, rest, _ := strings.Cut(page, scaleBegin)
	part, _, ok := strings.Cut(rest, scaleEnd)
	if part = strings.TrimSpace(part); !ok || part == "" {
		return ""
	}
	return part + "\n"
}

// withScale replaces that part of a page.
func withScale(page, part string) (string, error) {
	before, rest, _ := strings.Cut(page, scaleBegin)
	_, after, ok := strings.Cut(rest, scaleEnd)
	if !ok {
		return "", errors.New("the page has no place for the numbers of -scale: make a whole run first")
	}
	if part != "" {
		part = "\n" + part
	}
	return before + scaleBegin + part + scaleEnd + after, nil
}

// withSection replaces the part of a page about one group by what a run of that
// group alone has measured, and says so there.
func withSection(page string, r *report) (string, error) {
	s := r.Sections[0]
	s.Notes = append(slices.Clone(s.Notes), fmt.Sprintf("Measured by itself on %s, after the rest of this page.", r.fact("date")))
	t, err := template.New("report").Parse(reportTemplate)
	if err != nil {
		return "", err
	}
	var part strings.Builder
	if err := t.ExecuteTemplate(&part, "section", s); err != nil {
		return "", err
	}
	title := "\n## " + s.Title + "\n"
	at := strings.Index(page, title)
	missed := strings.Index(page, "\n## Not met\n")
	if at < 0 || missed < at {
		return "", fmt.Errorf("the page has no part called %q: make a whole run first", s.Title)
	}
	next := at + 1 + strings.Index(page[at+1:], "\n## ")
	page = page[:at+1] + part.String() + page[next:]

	const heading, met = "\n## Not met\n", "Every target above was met in this run."
	before, rest, _ := strings.Cut(page, heading)
	list, after, _ := strings.Cut(strings.TrimPrefix(rest, "\n"), "\n\n")
	var lines []string
	for line := range strings.Lines(list) {
		if line = strings.TrimSuffix(line, "\n"); line != met && !strings.HasPrefix(line, "- "+s.Title+": ") {
			lines = append(lines, line)
		}
	}
	for _, miss := range r.Missed() {
		lines = append(lines, "- "+miss)
	}
	if len(lines) == 0 {
		lines = []string{met}
	}
	return before + heading + "\n" + strings.Join(lines, "\n") + "\n\n" + after, nil
}

// fact returns what the report says of the machine under a name.
func (r *report) fact(name string) string {
	for _, f := range r.Facts {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

// Missed lists the targets that were not reached.
func (r *report) Missed() []string {
	var list []string
	for _, s := range r.Sections {
		for _, row := range s.Rows {
			if row.Met == "no" {
				list = append(list, fmt.Sprintf("%s: %s: %s, the target is %s", s.Title, row.What, row.Reached, row.Target))
			}
		}
	}
	return list
}

// Left lists what was not measured here, with the reason.
func (r *report) Left() []string {
	var list []string
	for _, s := range r.Sections {
		for _, row := range s.Rows {
			if row.Missing != "" {
				list = append(list, row.What+": "+row.Missing)
			}
		}
	}
	return list
}

// markdown writes the report.
func (r *report) markdown() (string, error) {
	source := reportTemplate
	if r.Scale {
		source = scaleTemplate
	}
	t, err := template.New("report").Parse(source)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	err = t.Execute(&b, r)
	return b.String(), err
}
