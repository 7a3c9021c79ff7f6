using System.Text;
using static LlmPipeline.InputSample;

namespace LlmPipeline;

public sealed class NamingRows
{
    [Fact]
    public async Task A_repeated_name_is_an_error_that_tells_both_lines()
    {
        using var sample = new InputSample(string.Join('\n', BatchLine("a"), "", BatchLine("b"), BatchLine("a"), BatchLine("\u0061")));
        Assert.Equal(
            ["F:4: custom_id: \"a\" is the name of line 1 already", "F:5: custom_id: \"a\" is the name of line 1 already"],
            await sample.ErrorsAsync());
        Assert.Equal("duplicate_custom_id", (await sample.CheckAsync()).Errors[0].Code);
    }

    [Fact]
    public async Task A_name_that_another_row_has_by_its_line_is_an_error()
    {
        Assert.Equal(
            "F:2: custom_id: line 1 is named \"line-2\", which is the name of this line, as it has none of its own",
            await ErrorOfAsync(BatchLine("line-2") + "\n" + BatchLine(null)));
        Assert.Equal("F:2: custom_id: \"line-1\" is the name of line 1 already", await ErrorOfAsync(BatchLine(null) + "\n" + BatchLine("line-1")));
        Assert.Equal(["line-2", "line-1"], (await RowsOfAsync(BatchLine("line-2") + "\n" + BatchLine("line-1"))).Select(row => row.CustomId));
    }

    [Fact]
    public async Task A_field_id_whose_values_repeat_names_no_row()
    {
        foreach (var text in (string[])["{\"id\":8}\n{\"id\":7}\n{\"id\":\"7\"}", "id\n8\n7\n7\n"])
        {
            using var sample = new InputSample(text);
            var (first, start) = text[0] == '{' ? (2, 1) : (3, 2);
            Assert.Equal(new RepeatedId("7", $"line {first}", $"line {first + 1}"), (await sample.CheckAsync(Prompt())).RepeatedId);
            Assert.Equal([$"line-{start}", $"line-{start + 1}", $"line-{start + 2}"], (await sample.RowsAsync(Prompt())).Select(row => row.CustomId));
        }

        using var unique = new InputSample("id,q\n7,a\n8,b\n");
        Assert.Null((await unique.CheckAsync(Prompt())).RepeatedId);
    }

    [Fact]
    public async Task A_custom_id_that_repeats_is_an_error_in_rows_and_csv_too()
    {
        Assert.Equal("F:2: custom_id: \"7\" is the name of line 1 already", await ErrorOfAsync("{\"custom_id\":7}\n{\"custom_id\":\"7\"}", Prompt()));
        Assert.Equal("F:4: custom_id: \"7\" is the name of line 2 already", await ErrorOfAsync("custom_id,q\n7,a\n8,b\n7,c\n", Prompt()));
    }

    [Fact]
    public async Task A_column_that_is_asked_for_names_the_rows()
    {
        var options = Prompt() with { IdColumn = "key" };
        Assert.Equal(["x", "y"], (await RowsOfAsync("custom_id,id,key\n1,1,x\n1,1,y\n", options)).Select(row => row.CustomId));
        Assert.Equal(["x", "5"], (await RowsOfAsync("{\"id\":1,\"key\":\"x\"}\n{\"id\":1,\"key\":5}", options)).Select(row => row.CustomId));
        Assert.Equal("F:3: key: \"x\" is the name of line 2 already", await ErrorOfAsync("key\nx\nx\n", options));
        Assert.Equal("F:3: key: empty, and --id names rows by it", await ErrorOfAsync("key,q\nx,1\n,2\n", options));
        Assert.Equal("F:2: key: missing or empty, and --id names rows by it; the row has id", await ErrorOfAsync("{\"key\":1}\n{\"id\":1}", options));
        Assert.Equal("F:1: key: --id names it, and the file has the columns Key, q; is it Key?", await ErrorOfAsync("Key,q\nx,1\n", options));
        Assert.StartsWith("F:1: --id is for rows of data", await ErrorOfAsync(BatchLine("a"), Plain with { IdColumn = "key" }));
    }

    [Fact]
    public async Task A_long_or_strange_name_keeps_the_error_on_one_short_line()
    {
        var name = "a\nb\u001b" + new string('x', 10_000);
        var shown = "a\uFFFDb\uFFFD" + new string('x', 96) + "…";
        Assert.Equal($"F:2: custom_id: \"{shown}\" is the name of line 1 already", await ErrorOfAsync(BatchLine(name) + "\n" + BatchLine(name)));
        var key = System.Text.Json.JsonSerializer.Serialize(name);
        Assert.Equal($"F:1: {shown}: stands there twice", await ErrorOfAsync($"{{{key}:1,{key}:2}}", Prompt()));
    }

    [Fact]
    public async Task Names_differ_by_every_bit() =>
        Assert.Equal(4, (await RowsOfAsync(string.Join('\n', BatchLine("a"), BatchLine("A"), BatchLine("a "), BatchLine("\u00e9\0")))).Count);

    [Fact]
    public async Task A_hundred_thousand_names_are_all_compared()
    {
        var text = new StringBuilder();
        for (var n = 1; n <= 100_000; n++) text.Append("{\"custom_id\":").Append(n).Append("}\n");
        text.Append("{\"custom_id\":1}\n{\"custom_id\":50000}\n{\"custom_id\":100000}\n{\"custom_id\":100001}\n");
        using var sample = new InputSample(text.ToString());
        Assert.Equal(
            ["F:100001: custom_id: \"1\" is the name of line 1 already", "F:100002: custom_id: \"50000\" is the name of line 50000 already", "F:100003: custom_id: \"100000\" is the name of line 100000 already"],
            await sample.ErrorsAsync(Prompt()));
    }
}
