using System.Text;
using System.Text.Json;
using static LlmPipeline.InputSample;

namespace LlmPipeline;

public sealed class ReadingPlainText
{
    [Fact]
    public async Task A_line_becomes_the_users_message()
    {
        var row = Assert.Single(await RowsOfAsync("\nWhy?\r\n"));
        Assert.Equal("""{"model":"default-model","messages":[{"role":"user","content":"Why?"}]}""", BodyOf(row));
        Assert.Equal(("line-2", "default-model", "/v1/chat/completions"), (row.CustomId, row.Model, row.Url));
    }

    [Fact]
    public async Task System_message_and_settings_are_put_into_the_body()
    {
        var options = new InputOptions
        {
            DefaultModel = "d",
            Model = "asked",
            System = "Be \"short\" & <kind>.",
            Settings = new Dictionary<string, JsonElement> { ["temperature"] = JsonElement.Parse("0.50"), ["stop"] = JsonElement.Parse("""["a"]""") },
        };
        Assert.Equal(
            """{"model":"asked","messages":[{"role":"system","content":"Be \"short\" & <kind>."},{"role":"user","content":"Why?"}],"temperature":0.50,"stop":["a"]}""",
            BodyOf(Assert.Single(await RowsOfAsync("Why?", options))));
    }

    [Theory]
    [InlineData("quotes \" ' and \\ \\n < & > &lt; {{$x}} <message role=\"system\">")]
    [InlineData("controls \0\u0001\b\u001b\u007f and a lone \r and \u2028\u0085")]
    [InlineData("emoji 😀👩‍👩‍👧 \u200b é e\u0301")]
    [InlineData("  space and\ttab around \t")]
    public async Task Any_text_arrives_as_it_was_typed(string text)
    {
        var rows = await RowsOfAsync($"first\n{text}\r\n{text}");
        Assert.Equal(["first", text, text], rows.Select(row => JsonDocument.Parse(row.Body).RootElement.GetProperty("messages")[0].GetProperty("content").GetString()));
    }

    [Fact]
    public async Task A_body_that_grows_over_the_maximum_is_an_error()
    {
        var options = new InputOptions { DefaultModel = "d", MaxRowBytes = 1000 };
        Assert.Equal("F:2: its request body is longer than 1000 bytes", await ErrorOfAsync("ok\n" + new string('\u0001', 300), options));
        Assert.Single(await RowsOfAsync(new string('x', 900), options));
    }

    [Fact]
    public async Task What_the_body_holds_already_can_not_be_set()
    {
        using var sample = new InputSample("Why?");
        foreach (var name in (string[])["model", "messages", "stream"])
        {
            var options = new InputOptions { DefaultModel = "d", Settings = new Dictionary<string, JsonElement> { [name] = JsonElement.Parse("true") } };
            Assert.StartsWith($"--set {name}: ", Assert.Throws<InputException>(() => InputFile.Open(sample.Path, options)).Message);
        }

        Assert.StartsWith("--model: ", Assert.Throws<InputException>(() => InputFile.Open(sample.Path, new() { DefaultModel = "d", Model = "{x}" })).Message);
        await Task.CompletedTask;
    }

    [Fact]
    public async Task Text_with_a_byte_order_mark_and_without_a_last_line_end_is_read()
    {
        using var sample = new InputSample([0xEF, 0xBB, 0xBF, .. "one\r\ntwo"u8]);
        var rows = await sample.RowsAsync();
        Assert.Equal(["one", "two"], rows.Select(row => JsonDocument.Parse(row.Body).RootElement.GetProperty("messages")[0].GetProperty("content").GetString()));
        Assert.Equal("one"u8.Length + 5 + 3L, (await sample.CheckAsync()).Bytes);
    }

    [Fact]
    public async Task The_hash_is_that_of_the_files_bytes()
    {
        using var sample = new InputSample("abc");
        Assert.Equal("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", (await sample.CheckAsync()).ContentHash);
        using var large = new InputSample(new StringBuilder().Insert(0, "0123456789\n", 100_000).ToString());
        Assert.Equal(
            Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(File.ReadAllBytes(large.Path))),
            (await large.CheckAsync()).ContentHash);
    }
}
