using System.Text;
using System.Text.Json;

namespace LlmPipeline;

/// <summary>An input file of a test's own, read as the command would read it.</summary>
internal sealed class InputSample : IDisposable
{
    public InputSample(byte[] bytes)
    {
        Path = System.IO.Path.Combine(Directory.CreateTempSubdirectory("input-").FullName, "in.jsonl");
        File.WriteAllBytes(Path, bytes);
    }

    public InputSample(string text)
        : this(Encoding.UTF8.GetBytes(text))
    {
    }

    public string Path { get; }

    public static InputOptions Plain { get; } = new() { DefaultModel = "default-model" };

    public static InputOptions Prompt(params string[] required) =>
        new() { DefaultModel = "default-model", PromptName = "ask", RequiredVariables = required };

    public static string BatchLine(string? id, string body = """{"model":"m","messages":[{"role":"user","content":"hi"}]}""", string url = "/v1/chat/completions") =>
        $$"""{{{(id is null ? "" : $"\"custom_id\":{JsonSerializer.Serialize(id)},")}}"method":"POST","url":"{{url}}","body":{{body}}}""";

    public Task<InputSummary> CheckAsync(InputOptions? options = null) => InputFile.Open(Path, options ?? Plain).CheckAsync();

    /// <summary>The errors as people see them, with the file called F.</summary>
    public async Task<string[]> ErrorsAsync(InputOptions? options = null)
    {
        var summary = await CheckAsync(options);
        Assert.Equal(Math.Min(20, summary.ErrorCount), summary.Errors.Count);
        return [.. summary.Errors.Select(e => e.Format("F"))];
    }

    public async Task<string> ErrorAsync(InputOptions? options = null) => Assert.Single(await ErrorsAsync(options));

    public async Task<List<InputRow>> RowsAsync(InputOptions? options = null)
    {
        var file = InputFile.Open(Path, options ?? Plain);
        var summary = await file.CheckAsync();
        Assert.Equal([], summary.Errors.Select(e => e.Format("F")));
        var rows = new List<InputRow>();
        await foreach (var row in file.ReadAsync()) rows.Add(row);
        Assert.Equal(summary.Rows, rows.Count);
        Assert.Equal(Enumerable.Range(1, rows.Count), rows.Select(row => row.Number));
        return rows;
    }

    public static async Task<string> ErrorOfAsync(string text, InputOptions? options = null)
    {
        using var sample = new InputSample(text);
        return await sample.ErrorAsync(options);
    }

    public static async Task<List<InputRow>> RowsOfAsync(string text, InputOptions? options = null)
    {
        using var sample = new InputSample(text);
        return await sample.RowsAsync(options);
    }

    public static async Task<InputKind?> KindOfAsync(string text, InputOptions? options = null)
    {
        using var sample = new InputSample(text);
        var summary = await sample.CheckAsync(options);
        Assert.Equal([], summary.Errors.Select(e => e.Format("F")));
        return summary.Kind;
    }

    public static string BodyOf(InputRow row) => Encoding.UTF8.GetString(row.Body.Span);

    public void Dispose() => Directory.Delete(System.IO.Path.GetDirectoryName(Path)!, recursive: true);
}
