using System.Text;
using System.Text.Json;

namespace LlmPipeline;

/// <summary>What the reader of an input file has to know beside the file itself.</summary>
public sealed record InputOptions
{
    /// <summary>
    /// The model asked for (<c>--model</c>); null for none. It is for what names no model of its own: a row or a request body that does goes
    /// to that one.
    /// </summary>
    public string? Model { get; init; }

    /// <summary>The model of rows and plain text when <see cref="Model"/> is null.</summary>
    public required string DefaultModel { get; init; }

    /// <summary>The prompt function (<c>--prompt</c>) whose variables the rows are; null for none. With it a file is rows, JSON or CSV.</summary>
    public string? PromptName { get; init; }

    /// <summary>How the file is read whatever its first line says (<c>--as</c>); null, the default: the first line tells.</summary>
    public InputAs? As { get; init; }

    /// <summary>The column or field that names the rows (<c>--id</c>), and must have a value of its own in each; null for <c>custom_id</c>, else <c>id</c>.</summary>
    public string? IdColumn { get; init; }

    /// <summary>Fields of request bodies that are left out (<c>--drop</c>).</summary>
    public IReadOnlyList<string> Drop { get; init; } = [];

    /// <summary>All variables of the prompt function; a <c>model</c> among them is a variable and names no model.</summary>
    public IReadOnlyList<string> Variables { get; init; } = [];

    /// <summary>The variables that every row must hold, spelt exactly so; a JSON null counts as missing. Used with <see cref="PromptName"/> only.</summary>
    public IReadOnlyList<string> RequiredVariables { get; init; } = [];

    /// <summary>
    /// A system message (<c>--system</c>); null for none. Plain text gets it in its body, for rows the caller uses it. On request bodies it is an error.
    /// </summary>
    public string? System { get; init; }

    /// <summary>
    /// More fields of the body (<c>--set</c>), such as <c>temperature</c>. Plain text gets them in its body, for rows the caller uses them.
    /// On request bodies they are an error; <c>model</c>, <c>messages</c> and <c>stream</c> can't be set.
    /// </summary>
    public IReadOnlyDictionary<string, JsonElement> Settings { get; init; } = new Dictionary<string, JsonElement>();

    /// <summary>The encoding of the file (<c>--encoding</c>); null, the default: UTF-8, or UTF-16 or UTF-32 where the first bytes show it.</summary>
    public Encoding? Encoding { get; init; }

    /// <summary>
    /// How long a row may be, in bytes: its line (all its lines in CSV), and the body that is made of a line of plain text. Default: what a
    /// queue takes whose jobs may have 16 MiB.
    /// </summary>
    public int MaxRowBytes { get; init; } = MaxRowBytesOf(16 * 1024 * 1024);

    /// <summary>
    /// How long a row may be where a job may have <paramref name="maxJobBytes"/>: a 16th of it, 32 KiB at most, is left for what goes
    /// around a row.
    /// </summary>
    public static int MaxRowBytesOf(int maxJobBytes) => maxJobBytes - Math.Min(maxJobBytes / 16, 32 * 1024);

    /// <summary>How many rows are read at most (<c>--limit</c>); null for all. The check still covers the whole file.</summary>
    public int? Limit { get; init; }

    /// <summary>
    /// The only path that rows may go to, for a file that must hold OpenAI Batch lines with a <c>custom_id</c> each, as OpenAI itself wants them;
    /// null: a file of any kind.
    /// </summary>
    public string? BatchEndpoint { get; init; }

    /// <summary>How many rows a file may have: one more is an error; null for any number.</summary>
    public int? MaxRows { get; init; }

    /// <summary>The OpenAI paths that rows may go to, for people.</summary>
    public static string Endpoints => RowUrl.All;

    /// <summary>The path that is meant, also where the <c>/v1</c> is left out as Azure does; null for none that rows may go to.</summary>
    public static string? Endpoint(string path) => RowUrl.Known(path);

    internal string RowModel => Model ?? DefaultModel;

    /// <summary>What the variables are for, in messages.</summary>
    internal string PromptShown => PromptName is Template ? Template : $"the prompt function {PromptName}";

    /// <summary>The <see cref="PromptName"/> of a template on the command line.</summary>
    internal const string Template = "--template";

    /// <summary>The path that stands for standard input, which messages call so; null for none.</summary>
    public string? StandardInputPath { get; init; }

    /// <summary>How many rows are taken at random (<c>--sample</c>); null for all.</summary>
    public int? Sample { get; init; }

    /// <summary>What goes before the names of rows that have none of their own: the file, where there are several.</summary>
    internal string RowPrefix { get; init; } = "";

    /// <summary>Whether the file's name says that it is a table (.csv, .tsv).</summary>
    internal bool IsTable { get; init; }

    /// <summary>Whether the field <c>id</c> names rows; not where its values repeat.</summary>
    internal bool UsesId { get; init; } = true;

    /// <summary>Whether a field of a row names its model.</summary>
    internal bool HasRowModels => !Variables.Contains("model") && !RequiredVariables.Contains("model");
}
