using System.Text;
using static LlmPipeline.InputSample;

namespace LlmPipeline;

public sealed class ReadingOddTables
{
    [Fact]
    public async Task Lines_of_text_that_end_with_cr_are_prompts()
    {
        var rows = await RowsOfAsync("one\rtwo \"x\r\rthree\r");
        Assert.Equal([(1, "line-1"), (2, "line-2"), (4, "line-4")], rows.Select(row => (row.Line, row.CustomId)));
        Assert.EndsWith("\"content\":\"three\"}]}", BodyOf(rows[2]));
        Assert.Equal("F:2: not valid JSON", (await ErrorOfAsync("{\"q\":1}\r{\"q\r{\"q\":2}\r", Prompt()))[..19]);
    }

    [Fact]
    public async Task A_table_whose_lines_end_with_cr_has_line_numbers_and_cells_with_breaks()
    {
        using var sample = new InputSample("id,q\r1,\"two\nlines\"\r2,\"a\rb\"\r3,c\r");
        Assert.Equal([(2, "two\nlines"), (4, "a\rb"), (6, "c")], (await sample.RowsAsync(Prompt("q"))).Select(row => (row.Line, row.Variables!["q"])));
        Assert.Equal("F:4: 1 fields, but the header has 2", await ErrorOfAsync("id,q\r1,a\r2,b\rz\r", Prompt("q")));
    }

    [Fact]
    public async Task A_cr_within_a_line_of_another_file_is_text()
    {
        var row = (await RowsOfAsync("50 %\r100 %\nnext\n"))[0];
        Assert.EndsWith("\"content\":\"50 %\\r100 %\"}]}", BodyOf(row));
    }

    [Theory]
    [InlineData("sep=;\nid;q\n1;x, y\n", 3)]
    [InlineData("\uFEFF\"sep=|\"\r\nid|q\r\n1|x, y\r\n", 3)]
    [InlineData("SEP=\t\nid\tq\n1\tx, y\n", 3)]
    [InlineData("id;q\n1;x, y\n", 2)]
    [InlineData("id|q\n1|x, y\n", 2)]
    [InlineData("id;q;text, with comma\n1;x, y;z\n2;a;b\n", 2)]
    public async Task The_delimiter_is_that_of_the_first_line_or_of_the_rows(string text, int line)
    {
        using var sample = new InputSample(text);
        var row = (await sample.RowsAsync(Prompt("q")))[0];
        Assert.Equal(("1", "x, y", line), (row.CustomId, row.Variables!["q"], row.Line));
        Assert.Equal("id", (await sample.CheckAsync(Prompt("q"))).CsvHeader![0]);
    }

    [Fact]
    public async Task A_template_reaches_columns_whose_names_it_cannot_spell()
    {
        var row = Assert.Single(await RowsOfAsync("Review Text,Größe\nx,y\n", Prompt("Review_Text")));
        Assert.Equal(("x", "y"), (row.Variables!["Review_Text"], row.Variables["Gr__e"]));
        Assert.Equal("x", Assert.Single(await RowsOfAsync("{\"Review Text\":\"x\"}", Prompt("Review_Text"))).Variables!["Review_Text"]);
    }

    [Fact]
    public async Task Columns_of_the_same_name_are_an_error_only_where_one_of_them_is_read()
    {
        var row = Assert.Single(await RowsOfAsync("a,a,text\n1,2,x\n", Prompt("text")));
        Assert.Equal(("x", "1,2,x"), (row.Variables!["text"], string.Join(',', row.Cells!)));
        Assert.Equal("F:1: text: two columns have this name", await ErrorOfAsync("text,text\nx,y\n", Prompt("text")));
        Assert.Equal("F:1: my text: two columns have this name", await ErrorOfAsync("my text,my text\nx,y\n", Prompt("my_text")));
        Assert.Equal("F:1: id: two columns have this name", await ErrorOfAsync("id,id,text\n1,2,x\n", Prompt("text")));
        Assert.Equal("F:1: model: two columns have this name", await ErrorOfAsync("model,model,text\n1,2,x\n", Prompt("text")));
    }

    [Fact]
    public async Task A_missing_column_is_named_with_those_that_there_are()
    {
        Assert.Equal(
            "F:1: text: missing; the prompt function ask needs it, and the file has the columns Text, Labels; is it Text? Then rename that, or write {{$Text}} in the template",
            await ErrorOfAsync("Text,Labels\nx,y\n", Prompt("text")));
        Assert.EndsWith("is it text, with comma? Then rename that, or write {{$text__with_comma}} in the template", await ErrorOfAsync("id;text, with comma\n1;x\n", Prompt("text_with_comma")));
        Assert.Contains("has the columns review_txt, (unnamed), stars; is it review_txt?", await ErrorOfAsync("review_txt,,stars\nx,y,z\n", Prompt("review_text")));
        Assert.EndsWith("has the columns a, b", await ErrorOfAsync("a,b\nx,y\n", Prompt("review")));
    }

    [Fact]
    public async Task A_row_goes_to_the_model_that_it_names()
    {
        var options = Prompt("q") with { Model = "asked" };
        Assert.Equal(["own", "asked"], (await RowsOfAsync("q,model\n1,own\n2,\n", options)).Select(row => row.Model));
        Assert.Equal(["own", "asked", "asked"], (await RowsOfAsync("{\"q\":1,\"model\":\"own\"}\n{\"q\":1}\n{\"q\":1,\"model\":null}", options)).Select(row => row.Model));
        using var sample = new InputSample("q,model\n1,own\n2,\n");
        Assert.Equal(1, (await sample.CheckAsync(options)).RowsWithoutModel);
        Assert.Equal("F:3: model: a model's name can't hold { or }", await ErrorOfAsync("q,model\n1,own\n2,{x}\n", options));
    }

    [Fact]
    public async Task A_model_that_the_template_uses_is_a_variable()
    {
        var options = Prompt("q", "model") with { Model = "asked" };
        Assert.Equal("asked", Assert.Single(await RowsOfAsync("q,model\n1,gpt-2\n", options)).Model);
        Assert.Equal("asked", Assert.Single(await RowsOfAsync("{\"q\":1,\"model\":\"gpt-2\"}", options)).Model);
    }

    [Theory]
    [InlineData("in.csv", "id,prompt\n1,x\n", "id, prompt")]
    [InlineData("in.TSV", "id\tmy prompt\n1\tx\n", "id, my prompt")]
    [InlineData("in.csv", "sep=;\nid;prompt\n1;x\n", "id, prompt")]
    [InlineData("in.csv", ",\"a\"\"b\"\n0,1\n", "(unnamed), a\"b")]
    public async Task A_table_without_a_prompt_is_refused_with_its_columns(string name, string text, string columns)
    {
        using var sample = new InputSample(text);
        var path = Path.Join(Path.GetDirectoryName(sample.Path), name);
        File.Move(sample.Path, path);
        var error = Assert.Single((await InputFile.Open(path, Plain).CheckAsync()).Errors);
        Assert.Contains($"needs --prompt NAME or --template TEXT, whose variables are its columns: {columns} (--as text", error.What);
        Assert.Equal(InputKind.Text, (await InputFile.Open(path, Plain with { As = InputAs.Text }).CheckAsync()).Kind);
    }

    [Theory]
    [InlineData(InputAs.Text, "{\"model\":\"m\",\"messages\":[]}\n", InputKind.Text)]
    [InlineData(InputAs.Text, "[1, 2]\n", InputKind.Text)]
    [InlineData(InputAs.Csv, "{a},b\n1,2\n", InputKind.CsvRows)]
    [InlineData(InputAs.Rows, "{\"custom_id\":\"a\",\"url\":\"u\",\"body\":{}}\n", InputKind.Rows)]
    public async Task A_kind_that_is_asked_for_is_taken(InputAs kind, string text, InputKind found)
    {
        var options = kind == InputAs.Text ? Plain : Prompt();
        using var sample = new InputSample(text);
        var summary = await sample.CheckAsync(options with { As = kind });
        Assert.Equal((found, 0L), (summary.Kind!.Value, summary.ErrorCount));
    }

    [Fact]
    public async Task What_is_not_of_the_kind_that_is_asked_for_is_an_error()
    {
        Assert.Equal("F:1: must be a JSON object", await ErrorOfAsync("text", Plain with { As = InputAs.Batch }));
        using var sample = new InputSample("text");
        Assert.Contains("--as csv needs --prompt", Assert.Throws<InputException>(() => InputFile.Open(sample.Path, Plain with { As = InputAs.Csv })).Message);
        Assert.Contains("--as text does not go with", Assert.Throws<InputException>(() => InputFile.Open(sample.Path, Prompt() with { As = InputAs.Text })).Message);
    }

    [Fact]
    public async Task Several_files_are_one_input()
    {
        using var one = new InputSample("id,q\n1,a\n2,b\n");
        using var two = new InputSample("id,q\n1,c\n");
        var file = InputFile.Open([one.Path, two.Path], Prompt("q"));
        var summary = await file.CheckAsync();
        Assert.Equal((3, new RepeatedId("1", $"{one.Path}:2", $"{two.Path}:2")), (summary.Rows, summary.RepeatedId));
        var rows = new List<InputRow>();
        await foreach (var row in file.ReadAsync())
            rows.Add(row);
        Assert.Equal([(1, $"{one.Path}:line-2"), (2, $"{one.Path}:line-3"), (3, $"{two.Path}:line-2")], rows.Select(row => (row.Number, row.CustomId)));

        using var lines = new InputSample(BatchLine("a"));
        using var more = new InputSample(BatchLine("a"));
        var error = Assert.Single((await InputFile.Open([lines.Path, more.Path], Plain).CheckAsync()).Errors);
        Assert.Equal($"{more.Path}:1: custom_id: \"a\" is the name of {lines.Path}:1 already", error.Format("F"));
        error = Assert.Single((await InputFile.Open([lines.Path, two.Path], Plain).CheckAsync()).Errors);
        Assert.StartsWith($"{two.Path}:1: holds plain text and {lines.Path} batch lines", error.Format("F"));
    }

    [Fact]
    public async Task A_sample_takes_rows_at_random_and_the_same_ones_again()
    {
        using var sample = new InputSample(string.Concat(Enumerable.Range(1, 1000).Select(n => $"{n}\n")));
        var options = Plain with { Sample = 50 };
        var rows = await sample.RowsAsync(options);
        Assert.Equal(50, rows.Count);
        Assert.Equal(rows.Select(row => row.Line), (await sample.RowsAsync(options)).Select(row => row.Line));
        Assert.InRange(rows.Average(row => row.Line), 350, 650);
        Assert.Equal(1000, (await sample.RowsAsync(Plain with { Sample = 2000 })).Count);
    }
}
