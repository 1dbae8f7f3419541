//go:build linux

package main

import (
	"fmt"
	"html"
	"math"
	"slices"
	"strings"
)

// Colours that stay apart for colour-blind readers (Okabe and Ito).
var colours = []string{"#000000", "#56b4e9", "#0072b2", "#009e73", "#e69f00", "#d55e00", "#cc79a7"}

const (
	plotWidth  = 640
	rowHeight  = 32
	lineHeight = 320
)

// canvas collects the elements of an SVG.
type canvas struct{ strings.Builder }

func newCanvas(title string, height int) *canvas {
	c := new(canvas)
	fmt.Fprintf(c, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="13">`, plotWidth, height)
	c.WriteString("\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n")
	c.text(20, 24, "start", title)
	return c
}

func (c *canvas) text(x, y float64, anchor, s string) {
	fmt.Fprintf(c, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n", x, y, anchor, html.EscapeString(s))
}

func (c *canvas) line(x1, y1, x2, y2 float64, style string) {
	fmt.Fprintf(c, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" %s/>\n", x1, y1, x2, y2, style)
}

func (c *canvas) svg() string { return c.String() + "</svg>\n" }

// barChart is one bar a name.
type barChart struct {
	title  string
	mark   float64 // a line across the bars
	names  []string
	values []float64
}

func (b *barChart) add(name string, value float64) {
	b.names = append(b.names, name)
	b.values = append(b.values, value)
}

func (b *barChart) svg() string {
	const left, right, top = 110, 60, 44
	height := top + rowHeight*len(b.names) + 20
	c := newCanvas(b.title, height)
	scale := (plotWidth - left - right) / max(b.mark, slices.Max(append(b.values, b.mark)))
	for i, name := range b.names {
		y := float64(top + rowHeight*i)
		c.text(left-8, y+19, "end", name)
		fmt.Fprintf(c, "<rect x=\"%d\" y=\"%.1f\" width=\"%.1f\" height=\"%d\" fill=\"%s\"/>\n",
			left, y+4, b.values[i]*scale, rowHeight-10, colours[i%len(colours)])
		c.text(left+b.values[i]*scale+6, y+19, "start", fmt.Sprintf("%.2f", b.values[i]))
	}
	x := left + b.mark*scale
	c.line(x, top-4, x, float64(height-16), `stroke="#888888" stroke-dasharray="4 3"`)
	return c.svg()
}

// lineChart is one line a name over common xs, which stand in equal distances.
type lineChart struct {
	title  string
	xs     []int
	names  []string
	values [][]float64
}

func (l *lineChart) add(name string, values []float64) {
	l.names = append(l.names, name)
	l.values = append(l.values, values)
}

// svg has a logarithmic y axis: latencies of a busy server are worlds apart.
func (l *lineChart) svg() string {
	const left, right, top, bottom = 60, 130, 50, 40
	c := newCanvas(l.title, lineHeight)
	all := slices.Concat(l.values...)
	low := math.Floor(math.Log10(max(slices.Min(all), 0.001)))
	high := max(math.Ceil(math.Log10(max(slices.Max(all), 0.001))), low+1)
	px := func(i int) float64 {
		return left + 20 + float64(i)*(plotWidth-left-right-40)/float64(max(len(l.xs)-1, 1))
	}
	py := func(v float64) float64 {
		return lineHeight - bottom - (math.Log10(max(v, 0.001))-low)/(high-low)*(lineHeight-top-bottom)
	}
	for e := low; e <= high; e++ {
		for _, m := range []float64{1, 2, 5} {
			v := m * math.Pow(10, e)
			if m > 1 && e == high {
				break
			}
			c.line(left, py(v), plotWidth-right, py(v), `stroke="#dddddd"`)
			c.text(left-8, py(v)+4, "end", fmt.Sprintf("%g", v))
		}
	}
	for i, x := range l.xs {
		c.text(px(i), lineHeight-bottom+20, "middle", fmt.Sprint(x))
	}
	for i, name := range l.names {
		colour := colours[i%len(colours)]
		var points []string
		for j, v := range l.values[i] {
			points = append(points, fmt.Sprintf("%.1f,%.1f", px(j), py(v)))
		}
		fmt.Fprintf(c, "<polyline points=\"%s\" fill=\"none\" stroke=\"%s\" stroke-width=\"2\"/>\n", strings.Join(points, " "), colour)
		y := float64(top + 10 + 20*i)
		c.line(plotWidth-right+10, y-4, plotWidth-right+30, y-4, fmt.Sprintf("stroke=\"%s\" stroke-width=\"2\"", colour))
		c.text(plotWidth-right+36, y, "start", name)
	}
	return c.svg()
}
