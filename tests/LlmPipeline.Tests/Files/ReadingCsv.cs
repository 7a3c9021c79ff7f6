using System.Text;
using static LlmPipeline.InputSample;

namespace LlmPipeline;

public sealed class ReadingCsv
{
    [Fact]
    public async Task Columns_are_variables_and_a_row_stands_where_it_starts()
    {
        using var sample = new InputSample("\r\n\"question\", topic\r\n\"two\r\nlines, \"\"quoted\"\"\",a\r\n\r\n  \r\nlast,\"\"");
        var rows = await sample.RowsAsync(Prompt("question"));
        Assert.Equal(
            [("two\r\nlines, \"quoted\"", "a", 3, "line-3"), ("last", "", 7, "line-7")],
            rows.Select(r => (r.Variables!["question"], r.Variables["topic"], r.Line, r.CustomId)));
        var summary = await sample.CheckAsync(Prompt("question"));
        Assert.Equal(["question", "topic"], summary.CsvHeader);
        Assert.Equal((3, 2, InputKind.CsvRows), (summary.BlankLines, summary.Rows, summary.Kind));
    }

    [Theory]
    [InlineData("quotes \" ' and \\ < & > &lt; {{$x}} <message role=\"system\">")]
    [InlineData("lines\nand\r\nmore\rand\u2028\u0085")]
    [InlineData("\0 starts with a control \u0001\b\t\u001b\u007f")]
    [InlineData("\uffff is no character")]
    [InlineData("# is no comment")]
    [InlineData("🐀🐀 (its second half is U+DC00)")]
    [InlineData("emoji 😀👩‍👩‍👧 é e\u0301")]
    [InlineData("  space around  ")]
    public async Task Any_text_arrives_as_it_was_typed(string text)
    {
        var rows = await RowsOfAsync($"question,n\n\"{text.Replace("\"", "\"\"")}\",1\nx,2\n", Prompt("question"));
        Assert.Equal([text, "x"], rows.Select(row => row.Variables!["question"]));
        if (text.AsSpan().ContainsAny("\"\r\n,")) return;
        rows = await RowsOfAsync($"question,n\n{text},1\nx,2\n", Prompt("question"));
        Assert.Equal([text, "x"], rows.Select(row => row.Variables!["question"]));
    }

    [Theory]
    [InlineData("a;question\n1;x, y\n")]
    [InlineData("a\tquestion\n1\tx, y\n")]
    [InlineData("a,question\n1,\"x, y\"\n")]
    [InlineData("\"a\";\"question\"\n1;\"x, y\"\n")]
    public async Task The_header_tells_the_delimiter(string text)
    {
        var row = Assert.Single(await RowsOfAsync(text, Prompt("question")));
        Assert.Equal(("1", "x, y"), (row.Variables!["a"], row.Variables["question"]));
    }

    [Fact]
    public async Task A_semicolon_in_the_values_of_a_single_column_is_text()
    {
        var row = Assert.Single(await RowsOfAsync("question\nx; y\n", Prompt("question")));
        Assert.Equal("x; y", row.Variables!["question"]);
    }

    [Fact]
    public async Task A_row_is_named_by_custom_id_else_by_id_else_by_its_line()
    {
        var rows = await RowsOfAsync("id,custom_id,q\n1,c,x\n2,,x\n,,x\n", Prompt());
        Assert.Equal(["c", "2", "line-4"], rows.Select(row => row.CustomId));
        Assert.Equal("1", rows[0].Variables!["id"]);
    }

    [Fact]
    public async Task Columns_without_a_name_are_no_variables()
    {
        using var sample = new InputSample("q,,\nx,y,\n");
        Assert.Equal(new() { ["q"] = "x" }, new Dictionary<string, string>((await sample.RowsAsync(Prompt("q")))[0].Variables!));
        Assert.Equal(["q", "", ""], (await sample.CheckAsync(Prompt("q"))).CsvHeader);
    }

    [Theory]
    [InlineData("\nquestion,question\nx,y\n", "F:2: question: two columns have this name")]
    [InlineData("\ntopic\nx\n", "F:2: question: missing; the prompt function ask needs it, and the file has one column only: topic (delimiters are , ; tab and |; a first line sep=X names another)")]
    [InlineData("question\nx,y\n", "F:2: 2 fields, but the header has 1")]
    [InlineData("question,b\n\"x\n\",y\nz\n", "F:4: 1 fields, but the header has 2")]
    [InlineData("question,b\nx,y\nz,\"open\nto the end\n", "F:3: malformed CSV in the record that starts here, field 2: A quoted field at the end of the input ends without a closing quote")]
    [InlineData("question,b\nx,y\n\"z\"z,y\nx,y\n", "F:3: malformed CSV in the record that starts here, field 1: A delimiter, newline or EOF was expected after a closing quote")]
    public async Task A_malformed_file_is_an_error(string text, string error) =>
        Assert.Equal(error, await ErrorOfAsync(text, Prompt("question")));

    [Fact]
    public async Task Rows_of_many_buffers_are_read_alike()
    {
        var text = new StringBuilder("question,n\n");
        for (var n = 0; n < 3000; n++) text.Append('"').Append('é', n % 977).Append("\n\"\"x\"\"\",").Append(n).Append('\n');
        var rows = await RowsOfAsync(text.ToString(), Prompt("question"));
        Assert.Equal(3000, rows.Count);
        Assert.All(rows, (row, n) => Assert.Equal(
            (new string('é', n % 977) + "\n\"x\"", $"{n}", 2 + (2 * n)), (row.Variables!["question"], row.Variables["n"], row.Line)));
    }

    [Fact]
    public async Task A_long_row_is_read_up_to_the_maximum_and_is_an_error_above()
    {
        var options = Prompt("q");
        var most = new string('x', options.MaxRowBytes - 8);
        Assert.Equal(most, (await RowsOfAsync($"q\n\"{most}\"\n", options))[0].Variables!["q"]);
        var lines = string.Concat(Enumerable.Repeat("0123456789\n", options.MaxRowBytes / 10));
        Assert.Equal($"F:3: longer than {options.MaxRowBytes} bytes", await ErrorOfAsync($"q\nx\n\"{lines}\"\ny\n", options));
        Assert.Equal($"F:3: longer than {options.MaxRowBytes} bytes", await ErrorOfAsync($"q\nx\n{most}123456789\ny\n", options));
        var wide = string.Concat(Enumerable.Repeat("éééééé\n", options.MaxRowBytes / 10));
        Assert.Equal($"F:3: longer than {options.MaxRowBytes} bytes", await ErrorOfAsync($"q\nx\n\"{wide}\"\ny\n", options));
    }

    [Fact]
    public async Task A_line_that_is_not_utf8_is_named_after_the_rows_before_it()
    {
        using var sample = new InputSample([.. "question\nx\n\"y\nx"u8, 0xE9, .. "\"\nz\n"u8]);
        Assert.Equal("F:4: not UTF-8 at byte 2 of the line", await sample.ErrorAsync(Prompt("question")));
    }

    [Fact]
    public async Task A_header_alone_is_no_input()
    {
        using var sample = new InputSample("question\n\n");
        var e = await Assert.ThrowsAsync<InputException>(() => sample.CheckAsync(Prompt("question")));
        Assert.Equal($"{sample.Path}: no rows below the header", e.Message);
    }
}
