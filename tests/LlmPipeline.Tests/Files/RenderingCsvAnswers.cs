using System.Text;
using Sylvan.Data.Csv;
using static LlmPipeline.Tests.OutputFolder;

namespace LlmPipeline.Tests;

public sealed class RenderingCsvAnswers : IDisposable
{
    private readonly OutputFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private OutputPaths Paths => OutputPaths.For(_folder.At("in.csv"), _folder.At("out.csv"));

    private Task<List<string[]>> RenderAsync(string[] header, string[][] input, params OutputLine[] lines) => RenderAsync(new CsvForm(), header, input, lines);

    private async Task<List<string[]>> RenderAsync(CsvForm form, string[] header, string[][] input, params OutputLine[] lines)
    {
        await using (OutputFile output = await _folder.OpenAsync(paths: Paths))
        {
            foreach (OutputLine line in lines)
                output.Append(line);
            await output.FinishAsync(lines.Length, CancellationToken.None);
            await CsvAnswers.WriteAsync(Paths, header, RowsAsync(input), CancellationToken.None, form);
        }

        using var reader = await CsvDataReader.CreateAsync(
            _folder.At("out.csv"), new CsvDataReaderOptions { HasHeaders = false, Delimiter = form.Delimiter });
        var table = new List<string[]>();
        while (await reader.ReadAsync())
            table.Add([.. Enumerable.Range(0, reader.RowFieldCount).Select(reader.GetString)]);
        return table;
    }

    private static async IAsyncEnumerable<(int Row, IReadOnlyList<string> Cells)> RowsAsync(string[][] input)
    {
        for (int row = 1; row <= input.Length; row++)
        {
            await Task.Yield();
            yield return (row, input[row - 1]);
        }
    }

    private static OutputLine Answered(string body, int status = 200) => Completion(1) with { StatusCode = status, Body = Encoding.UTF8.GetBytes(body) };

    [Fact]
    public async Task Each_row_has_its_columns_and_its_answer_or_its_error()
    {
        List<string[]> table = await RenderAsync(["question", "note"], [["a", "1"], ["b"], ["c", "3"]], Completion(3), Failure(2), Completion(1));

        Assert.Equal(
            [["question", "note", "answer", "error"], ["a", "1", "yes 1", ""], ["b", "", "", "no 2"], ["c", "3", "yes 3", ""]],
            table);
        Assert.Equal(["out.csv", "out.errors.jsonl", "out.results.jsonl"], _folder.Names());
    }

    [Theory]
    [InlineData("quote \" comma , semi ;")]
    [InlineData("two\nlines\r\nand \r more")]
    [InlineData(" space around ")]
    [InlineData("=1+1 é 😀 <b> {{$x}}")]
    [InlineData("")]
    public async Task Cells_arrive_as_they_are(string cell)
    {
        string json = System.Text.Json.JsonSerializer.Serialize(cell);
        List<string[]> table = await RenderAsync(["a,\"b\""], [[cell]], Answered("{\"choices\":[{\"text\":" + json + "}]}"));

        Assert.Equal([["a,\"b\"", "answer", "error"], [cell, cell, ""]], table);
    }

    [Fact]
    public async Task Lines_end_as_rfc_4180_says()
    {
        await RenderAsync(["a"], [["x"]], Completion(1));

        Assert.Equal("a,answer,error\r\nx,yes 1,\r\n", _folder.Read("out.csv"));
    }

    [Fact]
    public void An_input_column_of_the_same_name_keeps_it()
    {
        Assert.Equal(("llm_answer", "error"), CsvAnswers.ColumnsBeside(["question", "answer"]));
        Assert.Equal(("llm_answer_2", "llm_error"), CsvAnswers.ColumnsBeside(["Answer", "LLM_answer", "ERROR"]));
    }

    [Theory]
    [InlineData("""{"choices":[{"message":{"role":"assistant","content":"hello"}}]}""", "hello")]
    [InlineData("""{"choices":[{"message":{"content":[{"type":"text","text":"he"},{"type":"text","text":"llo"}]}}]}""", "hello")]
    [InlineData("""{"choices":[{"message":{"content":null,"refusal":"I will not"}}]}""", "I will not")]
    [InlineData("""{"choices":[{"message":{"content":null,"tool_calls":[{"id":"c"}]}}]}""", """[{"id":"c"}]""")]
    [InlineData("""{"choices":[{"message":{"content":"half \ud83d"}}]}""", "half \\ud83d")]
    [InlineData("""{"\ud83d":1,"choices":[{"\udc00":1,"message":{"content":"text"}}]}""", "text")]
    [InlineData("""{"choices":[{"text":"completed"}]}""", "completed")]
    [InlineData("""{"output":[{"type":"reasoning","summary":[]},{"type":"message","content":[{"type":"output_text","text":"a"},{"type":"output_text","text":"b"}]}]}""", "ab")]
    [InlineData("""{"data":[{"embedding":[0.1,-2e-5]}]}""", "[0.1,-2e-5]")]
    [InlineData("""{"data":[{"embedding":[1]},{"embedding":[2]}]}""", "[[1],[2]]")]
    [InlineData("""{"data":[{"embedding":"AAAA"}]}""", "AAAA")]
    [InlineData("""{"unheard":"of"}""", """{"unheard":"of"}""")]
    [InlineData("[]", "[]")]
    public async Task An_answer_of_every_shape_is_found(string body, string answer)
    {
        List<string[]> table = await RenderAsync(["q"], [["x"]], Answered(body));

        Assert.Equal(["x", answer, ""], table[1]);
    }

    [Fact]
    public async Task Each_choice_has_a_column()
    {
        List<string[]> table = await RenderAsync(
            ["q"], [["x"], ["y"], ["z"]],
            Answered("""{"choices":[{"message":{"content":"one"}},{"message":{"content":"two"}},{"message":{"content":null,"refusal":"no"}}]}"""),
            Answered("""{"choices":[{"message":{"content":"alone"}}]}""") with { JobId = Family + ".2" },
            Failure(3));

        Assert.Equal(
            [["q", "answer", "answer_2", "answer_3", "error"], ["x", "one", "two", "no", ""], ["y", "alone", "", "", ""], ["z", "", "", "", "no 3"]],
            table);
    }

    [Fact]
    public async Task Each_field_of_a_schema_has_a_column()
    {
        var form = new CsvForm { AnswerFields = ["label", "score", "error", "tags"] };
        List<string[]> table = await RenderAsync(
            form, ["label"], [["x"], ["y"], ["z"]],
            Answered("""{"choices":[{"message":{"content":"{\"label\":\"a, b\",\"score\":0.50,\"error\":null,\"tags\":[\"t\"]}"}}]}"""),
            Answered("""{"choices":[{"message":{"content":"```json\n{\"label\":\"c\"}\n```"}}]}""") with { JobId = Family + ".2" },
            Answered("""{"choices":[{"message":{"content":null,"refusal":"I will not"}}]}""") with { JobId = Family + ".3" });

        Assert.Equal(["label", "llm_label", "score", "error", "tags", "answer", "llm_error"], table[0]);
        Assert.Equal(["x", "a, b", "0.50", "", "[\"t\"]"], table[1][..5]);
        Assert.Equal(["y", "c", "", "", ""], table[2][..5]);
        Assert.Equal(["z", "", "", "", "", "I will not", ""], table[3]);
    }

    [Theory]
    [InlineData("=1+1", "'=1+1")]
    [InlineData("@SUM(A1)", "'@SUM(A1)")]
    [InlineData("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0")]
    [InlineData("-2+3", "'-2+3")]
    [InlineData("\t=1", "'\t=1")]
    [InlineData("-2.5", "-2.5")]
    [InlineData("+1e3", "+1e3")]
    [InlineData("a=1", "a=1")]
    public async Task Formulas_are_made_texts_where_that_is_asked_for(string cell, string written)
    {
        Assert.Equal(written, (await RenderAsync(new CsvForm { IsExcelSafe = true }, ["q"], [[cell]], Completion(1)))[1][0]);
        Assert.Equal(cell, (await RenderAsync(["q"], [[cell]], Completion(1)))[1][0]);
    }

    [Fact]
    public async Task A_table_has_the_delimiter_and_the_mark_that_are_asked_for()
    {
        await RenderAsync(new CsvForm { Delimiter = ';', HasByteOrderMark = true }, ["", "a, b"], [["0", "x;y"]], Completion(1));

        Assert.Equal("\uFEFF;a, b;answer;error\r\n0;\"x;y\";yes 1;\r\n"u8.ToArray(), File.ReadAllBytes(_folder.At("out.csv")));
    }

    [Theory]
    [InlineData("""{"error":{"message":"bad","type":"t"}}""", 400, "bad")]
    [InlineData("""{"error":"bad"}""", 400, "bad")]
    [InlineData("""{"object":"error","message":"bad"}""", 400, "bad")]
    [InlineData("""{"detail":"bad"}""", 422, "bad")]
    [InlineData("<html>bad</html>", 502, "<html>bad</html>")]
    [InlineData("", 500, "HTTP 500")]
    [InlineData("""{"error":{"code":7}}""", 400, """{"error":{"code":7}}""")]
    public async Task An_error_of_every_shape_is_found(string body, int status, string error)
    {
        List<string[]> table = await RenderAsync(["q"], [["x"]], Answered(body, status));

        Assert.Equal(["x", "", error], table[1]);
    }

    [Fact]
    public async Task A_row_that_was_never_answered_says_why()
    {
        List<string[]> table = await RenderAsync(["q"], [["x"], ["beyond"]], new OutputLine { JobId = Family + ".1", CustomId = "x", ErrorCode = "batch_expired", ErrorMessage = "too late" });

        Assert.Equal([["x", "", "too late"], ["beyond", "", ""]], table[1..]);
    }

    [Fact]
    public async Task An_input_that_breaks_off_leaves_the_old_table_and_nothing_else()
    {
        await RenderAsync(["q"], [["x"]], Completion(1));
        string old = _folder.Read("out.csv");

        await Assert.ThrowsAsync<ArgumentException>(() => CsvAnswers.WriteAsync(Paths, ["q"], RowsAsync([["x"], ["y", "too many"]]), CancellationToken.None));

        Assert.Equal(old, _folder.Read("out.csv"));
        Assert.Equal(["out.csv", "out.results.jsonl"], _folder.Names());
    }
}
