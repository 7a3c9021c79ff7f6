using System.Diagnostics;
using static LlmPipeline.InputSample;

namespace LlmPipeline;

public sealed class OpeningInputFiles : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("input-").FullName;

    [Fact]
    public void A_missing_file_is_told()
    {
        Assert.EndsWith("/none.jsonl: no such file", Refusal(Path.Combine(_folder, "none.jsonl")));
        File.WriteAllText(Path.Combine(_folder, "a.jsonl"), "x");
        Assert.EndsWith("/a.jsonl/b: no such file", Refusal(Path.Combine(_folder, "a.jsonl", "b")));
        Assert.Contains("no such file", Refusal("a\0b"));
        Assert.Contains("no such file", Refusal(""));
    }

    [Fact]
    public void A_directory_is_told() => Assert.EndsWith(": is a directory", Refusal(_folder));

    [Fact]
    public void An_empty_file_is_told()
    {
        var path = Path.Combine(_folder, "empty.jsonl");
        File.WriteAllText(path, "");
        Assert.StartsWith($"{path}: empty", Refusal(path));
        var link = Path.Combine(_folder, "link.jsonl");
        File.CreateSymbolicLink(link, path);
        Assert.StartsWith($"{link}: empty", Refusal(link));
    }

    [Fact]
    public void A_pipe_and_a_device_are_told_without_waiting_for_them()
    {
        var pipe = Path.Combine(_folder, "pipe");
        using (var made = Process.Start("mkfifo", [pipe])) made.WaitForExit();
        Assert.Contains("can't be a pipe or a device", Refusal(pipe));
        Assert.Contains("can't be a pipe or a device", Refusal("/dev/zero"));
        Assert.Contains("can't be a pipe or a device", Refusal("/dev/null"));
    }

    [Fact]
    public async Task A_link_to_a_file_is_followed()
    {
        using var sample = new InputSample("hello");
        var link = Path.Combine(_folder, "link.txt");
        File.CreateSymbolicLink(link, sample.Path);
        Assert.Equal(1, (await InputFile.Open(link, Plain).CheckAsync()).Rows);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static string Refusal(string path) => Assert.Throws<InputException>(() => InputFile.Open(path, Plain)).Message;
}
